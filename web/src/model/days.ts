// Chats by the day they were last written in.

export interface Group<T> {
  name: string;
  items: T[];
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

export function byDay<T extends { updated: number }>(items: readonly T[], now: number): Group<T>[] {
  const today = startOfDay(now);
  const yesterday = startOfDay(today - 1);
  const week = startOfDay(today - 6 * 86_400_000);
  const groups: Group<T>[] = ["Today", "Yesterday", "This week", "Earlier"].map((name) => ({ name, items: [] }));
  for (const item of [...items].sort((a, b) => b.updated - a.updated)) {
    const index = item.updated >= today ? 0 : item.updated >= yesterday ? 1 : item.updated >= week ? 2 : 3;
    groups[index]!.items.push(item);
  }
  return groups.filter((group) => group.items.length > 0);
}
