import { describe, expect, it } from "vitest";
import { fromJson, toJson, toMarkdown, type ChatWithMessages } from "../../src/model/exchange";
import { shownPath } from "../../src/model/tree";

const story: ChatWithMessages = {
  chat: {
    id: "c1", title: "Foxes", created: 10, updated: 20, system: "Be brief.", sampling: { temperature: 0.5 }, mode: "chat",
    picks: { "": "m1", m1: "m2" },
  },
  messages: [
    { id: "m1", chat: "c1", parent: null, role: "user", text: "A fox?", created: 11, state: "done" },
    { id: "m2", chat: "c1", parent: "m1", role: "assistant", text: "Red.", created: 12, state: "done" },
    { id: "m3", chat: "c1", parent: "m1", role: "assistant", text: "Quick.", created: 13, state: "writing" },
  ],
};

function changed(change: (file: { format: string; version: number; chats: ChatWithMessages[] }) => void): string {
  const file = JSON.parse(toJson([story]));
  change(file);
  return JSON.stringify(file);
}

describe("chats as files", () => {
  it("come back the same, under other ids", () => {
    const [read] = fromJson(toJson([story]));
    expect(read!.chat).toMatchObject({ title: "Foxes", created: 10, updated: 20, system: "Be brief.", sampling: { temperature: 0.5 }, mode: "chat" });
    expect(read!.chat.id).not.toBe("c1");
    expect(read!.messages.map((message) => message.text)).toEqual(["A fox?", "Red.", "Quick."]);
    expect(new Set(read!.messages.map((message) => message.chat))).toEqual(new Set([read!.chat.id]));
    const path = shownPath(new Map(read!.messages.map((message) => [message.id, message])), read!.chat.picks);
    expect(path.map((message) => message.text)).toEqual(["A fox?", "Red."]);
  });

  it("have nothing in them that is still being written", () => {
    expect(fromJson(toJson([story]))[0]!.messages[2]!.state).toBe("stopped");
  });

  it("can be read as Markdown: the branch on show", () => {
    expect(toMarkdown(story)).toBe("# Foxes\n\n**System**\n\nBe brief.\n\n**You**\n\nA fox?\n\n**plm**\n\nRed.\n");
  });

  it("are refused with a sentence when they are something else", () => {
    expect(() => fromJson("{")).toThrow("This is not a JSON file.");
    expect(() => fromJson("[]")).toThrow("not a file of chats");
    expect(() => fromJson(changed((file) => (file.version = 2)))).toThrow("another version");
    expect(() => fromJson(changed((file) => (file.chats[0]!.messages = 3 as never)))).toThrow("Chat 1 of the file is damaged");
    expect(() => fromJson(changed((file) => (file.chats[0]!.messages[1]!.role = "system" as never)))).toThrow("damaged message");
    expect(() => fromJson(changed((file) => (file.chats[0]!.messages[1]!.parent = "m9")))).toThrow("lacks a message");
  });

  it("keep only what we know, of the kind we know", () => {
    const text = changed((file) => {
      Object.assign(file.chats[0]!.chat, { sampling: { temperature: 900, evil: 1, top_k: "x" }, created: "x", mode: "other", picks: { m1: "m9" } });
      Object.assign(file.chats[0]!.messages[0]!, { writer: "tab", error: 5 });
    });
    const { chat, messages } = fromJson(text)[0]!;
    expect(chat).toMatchObject({ sampling: { temperature: 2 }, created: 0, picks: {} });
    expect(chat).not.toHaveProperty("mode");
    expect(messages[0]).not.toHaveProperty("writer");
    expect(messages[0]).not.toHaveProperty("error");
  });
});
