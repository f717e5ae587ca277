from kerasseq.data.streams import next_character_streams as next_character_streams
from kerasseq.files.keras_models import load_model as load_model
from kerasseq.files.keras_models import save_model as save_model
from kerasseq.layers.attention import causal_mask as causal_mask
from kerasseq.layers.attention import (
    scaled_dot_product_attention as scaled_dot_product_attention,
)
from kerasseq.layers.decoder_block import DecoderBlock as DecoderBlock
from kerasseq.layers.encoder_block import EncoderBlock as EncoderBlock
from kerasseq.layers.pooling import AttentionPooling as AttentionPooling
from kerasseq.layers.positions import SinusoidalPositions as SinusoidalPositions
from kerasseq.layers.recurrent import GRU as GRU
from kerasseq.layers.recurrent import LSTM as LSTM
from kerasseq.layers.recurrent import SimpleRNN as SimpleRNN
from kerasseq.layers.self_attention import (
    MultiHeadSelfAttention as MultiHeadSelfAttention,
)
from kerasseq.models.char_rnn import CharRNNConfig as CharRNNConfig
from kerasseq.models.char_rnn import build_char_rnn as build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig as CharTransformerConfig,
)
from kerasseq.models.char_transformer import (
    build_char_transformer as build_char_transformer,
)
from kerasseq.models.classifier import ClassifierConfig as ClassifierConfig
from kerasseq.models.classifier import build_classifier as build_classifier
from kerasseq.models.encoder import EncoderConfig as EncoderConfig
from kerasseq.models.encoder import build_encoder as build_encoder
from kerasseq.models.next_word import NextWordConfig as NextWordConfig
from kerasseq.models.next_word import build_next_word_model as build_next_word_model
from kerasseq.models.stateful import build_stateful_model as build_stateful_model
from kerasseq.models.tagger import TaggerConfig as TaggerConfig
from kerasseq.models.tagger import build_tagger as build_tagger
from kerasseq.models.translation import TranslationConfig as TranslationConfig
from kerasseq.models.translation import build_translation as build_translation
from kerasseq.on_device.opening import open_tflite as open_tflite
from kerasseq.parts import train as train
from kerasseq.recipes.exporting import export as export
from kerasseq.signatures.characters import (
    build_generating_module as build_generating_module,
)
from kerasseq.signatures.characters import generate as generate
from kerasseq.signatures.next_word import suggest as suggest
from kerasseq.signatures.sampling import Settings as Settings
from kerasseq.text.characters import Vocabulary as Vocabulary
from kerasseq.text.corpus import load_corpus as load_corpus
from kerasseq.text.held_out import split_text as split_text
from kerasseq.text.keyboard import TypedVocabulary as TypedVocabulary
from kerasseq.text.subwords import Subwords as Subwords
from kerasseq.text.words import WordVocabulary as WordVocabulary
from kerasseq.training.compiling import compile_for_training as compile_for_training
from kerasseq.training.configuration import TrainingConfig as TrainingConfig

__version__: str
