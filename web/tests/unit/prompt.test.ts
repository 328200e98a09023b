import { describe, expect, it } from "vitest";
import { continuedText, promptOf, shortened, type Prompt } from "../../src/model/prompt";
import type { Message, Role } from "../../src/model/types";

function path(...texts: [Role, string][]): Message[] {
  return texts.map(([role, text], index) => ({
    id: String(index), chat: "c", parent: null, role, text, created: index, state: "done",
  }));
}

const four = path(["user", "first question"], ["assistant", "first answer"], ["user", "second question"], ["assistant", "second answer"]);

describe("a path as a prompt", () => {
  it("leaves out answers that are empty", () => {
    expect(promptOf(path(["user", "hi"], ["assistant", ""]), "chat", "").turns).toEqual([{ role: "user", content: "hi" }]);
  });

  it("continues a text without a seam, and keeps the reader's words apart", () => {
    const text = (...texts: [Role, string][]) => continuedText(promptOf(path(...texts), "text", ""));
    expect(text(["user", "Once"], ["assistant", " upon a time"], ["user", "there was"])).toBe("Once upon a time there was");
    expect(text(["user", "Once "], ["assistant", "upon"], ["assistant", "\na time"])).toBe("Once upon\na time");
  });

  it("begins a text with the system's words", () => {
    expect(continuedText(promptOf(path(["user", "Once"]), "text", "A story."))).toBe("A story. Once");
  });
});

describe("a prompt that is too long", () => {
  const chat = (share: number) => shortened(promptOf([...four, ...path(["user", "third question"])], "chat", "be kind"), share);

  it("loses whole questions with their answers, the oldest first", () => {
    expect(chat(0.1)?.turns.map((turn) => turn.content)).toEqual(["second question", "second answer", "third question"]);
    expect(chat(0.1)).toMatchObject({ forgot: true, system: "be kind" });
    expect(chat(0.7)?.turns.map((turn) => turn.content)).toEqual(["third question"]);
  });

  it("keeps the last question, and says when nothing more can go", () => {
    expect(shortened(promptOf(path(["user", "one long question"]), "chat", ""), 0.5)).toBeNull();
    expect(chat(1)).toBeNull();
  });

  it("as a text loses words from the beginning, whole ones", () => {
    const prompt: Prompt = promptOf(path(["user", "one two three four five six seven eight"]), "text", "");
    const shorter = shortened(prompt, 0.5)!;
    expect(continuedText(shorter)).toBe("six seven eight");
    expect(shorter.forgot).toBe(true);
    expect(shortened(prompt, 1)).toBeNull();
  });

  it("becomes shorter every time", () => {
    let prompt: Prompt | null = promptOf(path(["user", "word ".repeat(400)]), "text", "");
    for (let length = Infinity; prompt; prompt = shortened(prompt, 0.3)) {
      expect(continuedText(prompt).length).toBeLessThan(length);
      length = continuedText(prompt).length;
    }
  });
});
