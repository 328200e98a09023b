/** The beginning of a text as a chat's title: one line, cut between words. */
export function titleOf(text: string, most = 48): string {
  const line = text.replace(/\s+/g, " ").trim();
  if (line === "") return "New chat";
  if (line.length <= most) return line;
  const cut = line.slice(0, most);
  const space = cut.lastIndexOf(" ");
  return (space > most / 2 ? cut.slice(0, space) : cut).replace(/[\s,;:.–-]+$/, "") + "…";
}
