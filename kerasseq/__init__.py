"""Small sequence models in Keras 3, from a text to one tested file for devices."""

from kerasseq.data.labelled import (
    LabelledSentences,
    labelled_batches,
    read_labelled_sentences,
    split_by_class,
)
from kerasseq.data.masked_words import masked_word_batches
from kerasseq.data.tagged import (
    TaggedSentence,
    find_entities,
    read_tagged_sentences,
    tag_names,
    write_tagged_sentences,
)
from kerasseq.files.flatbuffer import list_operators
from kerasseq.files.tflite import (
    open_signatures,
    read_tflite,
    write_saved_model,
    write_tflite,
)
from kerasseq.files.writing import load_model, save_model
from kerasseq.layers.attention import (
    Attention,
    MultiHeadSelfAttention,
    causal_mask,
    scaled_dot_product_attention,
)
from kerasseq.layers.pooling import AttentionPooling
from kerasseq.layers.recurrent import GRU, LSTM, FusedRNN, SimpleRNN
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    DecoderBlock,
    build_char_transformer,
)
from kerasseq.models.classifier import (
    ClassifierConfig,
    WordDropout,
    build_classifier,
    predict,
)
from kerasseq.models.encoder import (
    EncoderBlock,
    EncoderConfig,
    SinusoidalPositions,
    build_encoder,
    build_masked_word_model,
    sinusoidal_positions,
)
from kerasseq.models.next_word import (
    NextWordConfig,
    NextWordModule,
    SuggestingModule,
    TiedEmbedding,
    build_next_word_model,
    next_word_batches,
    suggest,
    word_scores,
)
from kerasseq.models.tagger import (
    TaggerConfig,
    build_tagger,
    encode_tokens,
    tagged_batches,
)
from kerasseq.pictures.plots import (
    plot_attention,
    plot_confusion,
    plot_losses,
    plot_savings,
    plot_scaling,
)
from kerasseq.pictures.text_plots import plot_typing, plot_weighted_words
from kerasseq.scores.classes import accuracy, confusion_matrix, macro_f1
from kerasseq.scores.entities import EntityLookup, EntityScore, score_entities
from kerasseq.scores.keystrokes import measure_keystrokes
from kerasseq.scores.kneser_ney import KneserNey
from kerasseq.signatures.characters import (
    build_generating_module,
    build_sampling_model,
    build_stateful_model,
    generate,
)
from kerasseq.signatures.generation import GeneratingModule
from kerasseq.signatures.sampling import Settings, choose_token, uniform_numbers
from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.signatures.tagger import TaggingModule, tag_sentences
from kerasseq.text.characters import Vocabulary, next_character_streams, split_text
from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.words import WordTable, WordVocabulary, read_sentences, split_words
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.divergence import StopAtDivergence
from kerasseq.training.fitting import (
    HistoryFile,
    Perplexity,
    SampleTexts,
    TrainingConfig,
    compile_for_training,
    fit,
)
from kerasseq.training.streams import HeldOutLoss, fit_streams, window_loss

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
