/** Whether a text is code or a table, whose columns want a fixed-width face. */

const LINE = /^(?:\t| {2,})\S|[^\n]\t| {3,}\S|[;{}]\s*$|^\s*[#|]|\|.*\||^[^ \n]*(?:,[^ \n]*){2,}$/;

/** Whether a third of the lines that have a text look like code or a table. */
export function isTabular(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const found = lines.filter((line) => LINE.test(line));
  return lines.length > 2 && found.length * 3 >= lines.length;
}
