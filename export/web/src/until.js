/** A text up to the first of some stop texts, which may be split between its pieces. */

export class Until {
  /** @param {string[]} stops none empty */
  constructor(stops) {
    this.stops = stops;
    this.longest = Math.max(1, ...stops.map(({ length }) => length));
    this.held = "";
    /** The stop text that was found, if one was. */
    this.found = "";
  }

  /**
   * Add a piece.
   *
   * @param {string} piece
   * @returns {string} what can be shown; after a stop text nothing more
   */
  add(piece) {
    this.held += piece;
    if (this.found) return "";
    const [first] = this.stops
      .map((stop) => [this.held.indexOf(stop), stop])
      .filter(([index]) => index >= 0)
      .sort(([a], [b]) => a - b);
    if (first) this.found = first[1];
    // What could be the beginning of a stop text waits for what follows.
    return this.take(first ? first[0] : Math.max(0, this.held.length - this.longest + 1));
  }

  /** What waits, at the end of the text. */
  end() {
    return this.found ? "" : this.take(this.held.length);
  }

  /** Go on behind the stop text: what was added since, the stop text included. */
  goOn() {
    const passed = this.take(this.found.length);
    this.found = "";
    return passed + this.add("");
  }

  take(count) {
    // Not half a character.
    const half = /[\ud800-\udbff]/.test(this.held[count - 1] ?? "");
    const end = half && count < this.held.length ? count - 1 : count;
    const taken = this.held.slice(0, end);
    this.held = this.held.slice(end);
    return taken;
  }
}

/**
 * The stop texts in a field: one a line, in which \n is a newline, \t a tab and \\ a
 * backslash.
 */
export function readStops(text) {
  const meant = { n: "\n", t: "\t", "\\": "\\" };
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.replace(/\\([nt\\])/g, (_, letter) => meant[letter]));
}
