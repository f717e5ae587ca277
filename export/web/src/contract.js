/** What the card and the vocabulary of a file must be, for each kind of model. */

export const CONTRACT_VERSION = 3;
export const CHARACTERS = "character model";
export const WORDS = "next-word model";
export const ENCODER = "encoder";
export const TAGGER = "tagger";
export const CLASSIFIER = "classifier";
export const TRANSLATOR = "translator";
/** Ids of padding, start, end and each byte, before those of pieces. */
const IDS_BEFORE_PIECES = 259;

const isWhole = (low) => (value) =>
  Number.isInteger(value) && value >= low && value < 2 ** 31;
const isNumber = (high) => (value) =>
  typeof value === "number" && value >= 0 && value <= high;
const isHash = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isShape = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= 8 &&
  value.every(isWhole(1));
const isShapes = (value) =>
  Array.isArray(value) && value.length > 0 && value.every(isShape);
const areNames =
  (least, pattern = /./s) =>
  (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.every((each) => typeof each === "string" && pattern.test(each)) &&
    new Set(value).size === value.length;
const orMissing = (test) => (value) => value === undefined || test(value);

/** What the entries of a card must be: a test, or an object of tests for an object. */
const CARD = {
  sha256: isHash,
  attachments: { "vocabulary.json": isHash },
  vocabulary_size: isWhole(1),
};

const OF_KIND = {
  [CHARACTERS]: {
    state_shapes: isShapes,
    sampling_defaults: {
      length: isWhole(0),
      temperature: isNumber(Number.MAX_VALUE),
      top_k: isWhole(0),
      top_p: isNumber(1),
      min_p: isNumber(1),
    },
  },
  [WORDS]: {
    state_shapes: isShapes,
    first_word: isWhole(0),
    own_words: orMissing(isWhole(0)),
  },
  [ENCODER]: { length: isWhole(1) },
  [TAGGER]: {
    length: isWhole(1),
    num_letters: isWhole(1),
    tags: areNames(1, /^(?:O|[BI]-.+)$/s),
  },
  [CLASSIFIER]: {
    length: isWhole(1),
    labels: areNames(2),
    num_letters: isWhole(1),
  },
  [TRANSLATOR]: {
    length: isWhole(2),
    memory_shapes: isShapes,
    state_shapes: isShapes,
  },
};

/** For each kind, the list in its vocabulary, what it must be, and the ids before it. */
const WORD_LIST = ["words", areNames(2), 0];
const VOCABULARIES = {
  [CHARACTERS]: ["characters", areNames(1, /^.$/su), 0],
  [TRANSLATOR]: ["pieces", areNames(0, /^(?:[^\0-\x7f]|.{2,16})$/su), IDS_BEFORE_PIECES],
};

/**
 * Throw unless a card is of a kind that this page knows, and says what that kind needs.
 *
 * @param {object} card
 * @param {string} name of the file, for messages
 */
export function checkCard(card, name) {
  if (!Object.hasOwn(OF_KIND, card.kind)) {
    throw new Error(
      `${name} holds a model of the kind "${card.kind}", which this page does not ` +
        "know; take the page that came with the file",
    );
  }
  checkEntries(card, { ...CARD, ...OF_KIND[card.kind] }, `${name} has a card whose`);
}

/**
 * The list in a vocabulary, by id.
 *
 * @param {object} vocabulary
 * @param {object} card as `checkCard` passes it
 * @param {string} name of the file, for messages
 * @returns {string[]} characters, words or pieces
 */
export function entriesOf(vocabulary, card, name) {
  const [key, test, before] = VOCABULARIES[card.kind] ?? WORD_LIST;
  const entries = vocabulary[key];
  if (!test(entries)) {
    throw new Error(
      `${name} has no list of different ${key} in vocabulary.json; export it again`,
    );
  }
  if (entries.length + before !== card.vocabulary_size) {
    throw new Error(
      `${name} has a vocabulary of ${entries.length}, its model one of ` +
        `${card.vocabulary_size - before}; export it again`,
    );
  }
  if (card.kind === WORDS && card.first_word >= entries.length) {
    throw new Error(
      `${name} suggests from id ${card.first_word}, which is none of ` +
        `${entries.length} words; export it again`,
    );
  }
  return entries;
}

/** Throw unless each entry passes its test; `where` begins the message. */
function checkEntries(object, tests, where) {
  for (const [key, test] of Object.entries(tests)) {
    const value = object?.[key];
    if (typeof test !== "function") {
      checkEntries(value, test, `${where} ${key}'s`);
    } else if (!test(value)) {
      const shown = String(JSON.stringify(value)).slice(0, 60);
      throw new Error(`${where} ${key} cannot be ${shown}; export it again`);
    }
  }
}
