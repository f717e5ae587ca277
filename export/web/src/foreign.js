/** Text from elsewhere, which shows what it is and moves nothing around it. */

// Controls, formatting such as right-to-left overrides, halves of pairs, line ends; but
// not the two joiners, which words and emoji need.
const HIDDEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const MOST = 2000;

/**
 * A text for one line of the page: white space is a space, what cannot be seen is named
 * like [U+202E], and what is far too long is cut.
 *
 * @param {unknown} text
 * @returns {string} the same for what is safe already
 */
export function visible(text) {
  const whole = String(text);
  const cut = whole.length > MOST ? `${whole.slice(0, MOST)} …` : whole;
  return cut
    .replaceAll(/[\t\n\r]+/g, " ")
    .replaceAll(HIDDEN, (character) => `[${codePoint(character)}]`);
}

/** The code point of a character, like U+202E. */
export function codePoint(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Show a sentence in an element; a foreign name in it keeps its direction to itself.
 *
 * @param {HTMLElement} element
 * @param {string} sentence
 * @param {string} [name] as `visible` gives it
 */
export function showSentence(element, sentence, name) {
  const parts = name ? visible(sentence).split(name) : [visible(sentence)];
  const isolated = () =>
    Object.assign(document.createElement("bdi"), { textContent: name });
  element.replaceChildren(
    ...parts.flatMap((part, index) => (index ? [isolated(), part] : [part])),
  );
}
