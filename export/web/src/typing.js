/** Answers to what is typed, and marks in it. */

import { element } from "./dom.js";

/**
 * Answer a field's text now and as it is typed, one call at a time. Of what is typed in
 * the meantime, only the last counts.
 *
 * @param {HTMLTextAreaElement} field
 * @param {(text: string, isStale: () => boolean) => Promise<void>} answer shows what the
 *   model says; `isStale` tells whether more was typed since
 * @param {(complaint: string) => void} complain shows what is wrong, or nothing
 * @returns {() => Promise<void>} answers again
 */
export function whileTyping(field, answer, complain) {
  let waiting = 0;
  async function update() {
    waiting += 1;
    if (waiting > 1) return;
    for (let before = 0; before !== waiting; ) {
      before = waiting;
      const isStale = () => before !== waiting || !field.isConnected;
      const complaint = await answer(field.value, isStale).then(
        () => "",
        (error) => error.message,
      );
      // Another model may have been opened, and its view have taken the place.
      if (field.isConnected) complain(complaint);
    }
    waiting = 0;
  }
  field.addEventListener("input", update);
  update();
  return update;
}

/**
 * Show marks behind the text of a field.
 *
 * @param {HTMLElement} backdrop lies behind the field, and shapes the text as it does
 * @param {string} text
 * @param {{start: number, end: number, className: string, strength?: number}[]} marks in
 *   order, `strength` from 0 to 1
 */
export function showMarks(backdrop, text, marks) {
  const parts = [];
  let shown = 0;
  for (const { start, end, className, strength = 1 } of marks) {
    const mark = element("mark", "", { class: className });
    mark.textContent = text.slice(start, end);
    mark.style.setProperty("--strength", `${Math.round(100 * strength)}%`);
    parts.push(text.slice(shown, start), mark);
    shown = end;
  }
  // A last line that is empty would have no height.
  backdrop.replaceChildren(...parts, `${text.slice(shown)}\u200b`);
}

/** Say something in a live region when nothing was typed for a while. */
export function sayCalmly(region, milliseconds = 800) {
  let timer;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (region.textContent !== text) region.textContent = text;
    }, milliseconds);
  };
}
