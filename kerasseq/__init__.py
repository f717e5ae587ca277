"""Small sequence models in Keras 3, from a text to one tested file for devices."""

from kerasseq.attention import (
    Attention,
    MultiHeadSelfAttention,
    causal_mask,
    scaled_dot_product_attention,
)
from kerasseq.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.char_transformer import (
    CharTransformerConfig,
    DecoderBlock,
    build_char_transformer,
)
from kerasseq.character_model import (
    build_generating_module,
    build_sampling_model,
    build_stateful_model,
    generate,
)
from kerasseq.checkpoint import Checkpoint
from kerasseq.classifier import ClassifierConfig, WordDropout, build_classifier, predict
from kerasseq.convert import (
    open_signatures,
    read_tflite,
    write_saved_model,
    write_tflite,
)
from kerasseq.corpora import Corpus, load_corpus
from kerasseq.divergence import StopAtDivergence
from kerasseq.entity_scores import EntityLookup, EntityScore, score_entities
from kerasseq.files import load_model, save_model
from kerasseq.flatbuffer import list_operators
from kerasseq.generation import GeneratingModule
from kerasseq.keystrokes import measure_keystrokes
from kerasseq.kneser_ney import KneserNey
from kerasseq.labelled_sentences import (
    LabelledSentences,
    labelled_batches,
    read_labelled_sentences,
    split_by_class,
)
from kerasseq.masked_words import masked_word_batches
from kerasseq.next_word import (
    NextWordConfig,
    NextWordModule,
    SuggestingModule,
    TiedEmbedding,
    build_next_word_model,
    next_word_batches,
    suggest,
    word_scores,
)
from kerasseq.plots import (
    plot_attention,
    plot_confusion,
    plot_losses,
    plot_savings,
    plot_scaling,
)
from kerasseq.pooling import AttentionPooling
from kerasseq.recurrent import GRU, LSTM, FusedRNN, SimpleRNN
from kerasseq.sampling import Settings, choose_token, uniform_numbers
from kerasseq.scores import accuracy, confusion_matrix, macro_f1
from kerasseq.streams import HeldOutLoss, fit_streams, window_loss
from kerasseq.tag_sequences import allowed_transitions, best_sequence
from kerasseq.tagged_sentences import (
    TaggedSentence,
    find_entities,
    read_tagged_sentences,
    tag_names,
    write_tagged_sentences,
)
from kerasseq.tagger import TaggerConfig, build_tagger, encode_tokens, tagged_batches
from kerasseq.tagging import TaggingModule, tag_sentences
from kerasseq.text import Vocabulary, next_character_streams, split_text
from kerasseq.text_plots import plot_typing, plot_weighted_words
from kerasseq.training import (
    HistoryFile,
    Perplexity,
    SampleTexts,
    TrainingConfig,
    compile_for_training,
    fit,
)
from kerasseq.transformer import (
    EncoderBlock,
    EncoderConfig,
    SinusoidalPositions,
    build_encoder,
    build_masked_word_model,
    sinusoidal_positions,
)
from kerasseq.typed_words import TypedText, TypedVocabulary
from kerasseq.words import WordTable, WordVocabulary, read_sentences, split_words

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
    "NextWordModule",
    "Perplexity",
    "SampleTexts",
    "Settings",
    "SimpleRNN",
    "SinusoidalPositions",
    "StopAtDivergence",
    "SuggestingModule",
    "TaggedSentence",
    "TaggerConfig",
    "TaggingModule",
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
    "confusion_matrix",
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
