/** The written text on the page: many small additions, one change of the page a frame. */

// One block of a very long text would be laid out anew at each addition.
const BLOCK = 4000;

export class Paper {
  /** @param {HTMLElement} box scrolls by itself */
  constructor(box) {
    this.box = box;
    this.follows = true;
    this.waiting = "";
    this.frame = 0;
    // It follows the text's end until somebody scrolls away from there.
    box.addEventListener("scroll", () => {
      this.follows = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
    });
  }

  /** Begin anew, with what the model goes on from. */
  begin(prompt) {
    this.finish();
    const before = document.createElement("span");
    before.className = "prompt";
    before.textContent = prompt;
    this.block = newBlock();
    this.block.append(before);
    this.size = prompt.length;
    this.box.replaceChildren(this.block);
    this.follows = true;
  }

  /** Add text, to be seen at the next frame. */
  add(text) {
    this.waiting += text;
    this.frame ||= requestAnimationFrame(() => this.finish());
  }

  /** Show at once all that was added; a page in the background has no frames. */
  finish() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.waiting) return;
    // A block may end after a newline alone, where it is not seen.
    for (const line of this.waiting.split(/(?<=\n)/)) {
      this.block.append(line);
      this.size += line.length;
      if (this.size > BLOCK && line.endsWith("\n")) {
        this.block = newBlock();
        this.box.append(this.block);
        this.size = 0;
      }
    }
    this.waiting = "";
    if (this.follows) this.box.scrollTop = this.box.scrollHeight;
  }
}

function newBlock() {
  const block = document.createElement("div");
  block.className = "block";
  return block;
}
