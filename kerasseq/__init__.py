"""Small sequence models in Keras 3, from a text to one tested file for devices."""

from kerasseq.data.labelled import (
    LabelledSentences,
    labelled_batches,
    read_labelled_sentences,
    split_by_class,
)
from kerasseq.data.masked_words import masked_word_batches
from kerasseq.data.streams import next_character_streams, next_word_batches
from kerasseq.data.tagged import (
    TaggedSentence,
    read_tagged_sentences,
    write_tagged_sentences,
)
from kerasseq.data.tagged_batches import encode_tokens, tagged_batches
from kerasseq.files.keras_models import load_model, save_model
from kerasseq.files.operators import list_operators
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import read_tflite, write_tflite
from kerasseq.layers.attention import (
    Attention,
    causal_mask,
    scaled_dot_product_attention,
)
from kerasseq.layers.blocks import DecoderBlock, EncoderBlock
from kerasseq.layers.pooling import AttentionPooling
from kerasseq.layers.positions import SinusoidalPositions, sinusoidal_positions
from kerasseq.layers.recurrent import GRU, LSTM, FusedRNN, SimpleRNN
from kerasseq.layers.self_attention import MultiHeadSelfAttention
from kerasseq.layers.tied_embedding import TiedEmbedding
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.classifier import (
    ClassifierConfig,
    WordDropout,
    build_classifier,
    predict,
)
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.models.next_word import NextWordConfig, build_next_word_model, word_scores
from kerasseq.models.stateful import build_sampling_model, build_stateful_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.pictures.attention import plot_scaling
from kerasseq.pictures.classifier import plot_confusion, plot_weighted_words
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.pictures.losses import plot_losses
from kerasseq.pictures.next_word import plot_savings, plot_typing
from kerasseq.scores.classes import accuracy, macro_f1
from kerasseq.scores.entities import EntityLookup, EntityScore, score_entities
from kerasseq.scores.keystrokes import measure_keystrokes
from kerasseq.scores.kneser_ney import KneserNey
from kerasseq.scores.windows import window_loss
from kerasseq.signatures.characters import (
    GeneratingModule,
    build_generating_module,
    generate,
)
from kerasseq.signatures.next_word import NextWordOnIds, NextWordOnText, suggest
from kerasseq.signatures.sampling import Settings, choose_token, uniform_numbers
from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.signatures.tagger import TaggerOnIds, tag_sentences
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.held_out import split_text
from kerasseq.text.in_graph import WordTable
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.tags import find_entities, tag_names
from kerasseq.text.words import WordVocabulary, read_sentences, split_words
from kerasseq.training.callbacks import (
    HeldOutLoss,
    HistoryFile,
    Perplexity,
    SampleTexts,
)
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import StopAtDivergence
from kerasseq.training.fitting import fit
from kerasseq.training.streams import fit_streams

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "Attention",
    "AttentionPooling",
    "CharRNNConfig",
    "CharTransformerConfig",
    "Checkpoint",
    "ClassifierConfig",
    "Corpus",
    "DecoderBlock",
    "EncoderBlock",
    "EncoderConfig",
    "EntityLookup",
    "EntityScore",
    "FusedRNN",
    "GeneratingModule",
    "HeldOutLoss",
    "HistoryFile",
    "KneserNey",
    "LabelledSentences",
    "MultiHeadSelfAttention",
    "NextWordConfig",
    "NextWordOnIds",
    "NextWordOnText",
    "Perplexity",
    "SampleTexts",
    "Settings",
    "SimpleRNN",
    "SinusoidalPositions",
    "StopAtDivergence",
    "TaggedSentence",
    "TaggerConfig",
    "TaggerOnIds",
    "TiedEmbedding",
    "TrainingConfig",
    "TypedText",
    "TypedVocabulary",
    "Vocabulary",
    "WordDropout",
    "WordTable",
    "WordVocabulary",
    "accuracy",
    "allowed_transitions",
    "best_sequence",
    "build_char_rnn",
    "build_char_transformer",
    "build_classifier",
    "build_encoder",
    "build_generating_module",
    "build_masked_word_model",
    "build_next_word_model",
    "build_sampling_model",
    "build_stateful_model",
    "build_tagger",
    "causal_mask",
    "choose_token",
    "compile_for_training",
    "encode_tokens",
    "find_entities",
    "fit",
    "fit_streams",
    "generate",
    "labelled_batches",
    "list_operators",
    "load_corpus",
    "load_model",
    "macro_f1",
    "masked_word_batches",
    "measure_keystrokes",
    "next_character_streams",
    "next_word_batches",
    "open_signatures",
    "plot_attention",
    "plot_confusion",
    "plot_losses",
    "plot_savings",
    "plot_scaling",
    "plot_typing",
    "plot_weighted_words",
    "predict",
    "read_labelled_sentences",
    "read_sentences",
    "read_tagged_sentences",
    "read_tflite",
    "save_model",
    "scaled_dot_product_attention",
    "score_entities",
    "sinusoidal_positions",
    "split_by_class",
    "split_text",
    "split_words",
    "suggest",
    "tag_names",
    "tag_sentences",
    "tagged_batches",
    "uniform_numbers",
    "window_loss",
    "word_scores",
    "write_saved_model",
    "write_tagged_sentences",
    "write_tflite",
]
