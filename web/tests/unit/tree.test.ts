import { describe, expect, it } from "vitest";
import { childrenOf, pathTo, pick, shownPath } from "../../src/model/tree";
import type { Message } from "../../src/model/types";

function message(id: string, parent: string | null, created: number): Message {
  return { id, chat: "c", parent, role: "user", text: id, created, state: "done" };
}

function tree(...messages: Message[]) {
  return new Map(messages.map((one) => [one.id, one]));
}

const ids = (messages: readonly Message[]) => messages.map((one) => one.id).join(" ");
const branched = tree(message("a", null, 1), message("b", "a", 2), message("c", "a", 3), message("d", "b", 4), message("e", "c", 5));

describe("the tree of messages", () => {
  it("shows the newest branch where none was picked", () => {
    expect(ids(shownPath(branched, {}))).toBe("a c e");
  });

  it("shows the branch that was picked, and what follows it", () => {
    const picks = pick({}, branched.get("b")!);
    expect(ids(shownPath(branched, picks))).toBe("a b d");
  });

  it("falls back to the newest where the picked one is gone", () => {
    expect(ids(shownPath(branched, { a: "gone" }))).toBe("a c e");
  });

  it("knows siblings in the order they were made", () => {
    expect(ids(childrenOf(branched, "a"))).toBe("b c");
    expect(ids(childrenOf(branched, null))).toBe("a");
  });

  it("finds the way to a message on any branch", () => {
    expect(ids(pathTo(branched, "d"))).toBe("a b d");
    expect(pathTo(branched, null)).toEqual([]);
    expect(pathTo(branched, "nowhere")).toEqual([]);
  });

  it("ends on a chain that bites its own tail", () => {
    const ring = tree(message("a", "b", 1), message("b", "a", 2));
    expect(shownPath(ring, {})).toEqual([]);
    expect(pathTo(ring, "a").length).toBeLessThanOrEqual(3);
    const withRoot = tree(message("r", null, 0), message("x", "r", 1));
    expect(ids(shownPath(withRoot, { x: "r" }))).toBe("r x");
  });
});
