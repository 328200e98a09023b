import { describe, expect, it } from "vitest";
import { byDay } from "../../src/model/days";
import { newId } from "../../src/model/ids";
import { bytes, percent, rate } from "../../src/model/numbers";
import { asSampling, readNumber, samplingFields } from "../../src/model/sampling";
import { titleOf } from "../../src/model/title";

const spec = (key: string) => samplingFields.find((one) => one.key === key)!;

describe("numbers for people", () => {
  it("are bytes in powers of 1024", () => {
    expect([0, 1023, 1024, 36864, 327680, 5 * 1024 ** 3].map(bytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "36.0 KiB", "320 KiB", "5.0 GiB"]);
  });

  it("are shares with as many digits as matter", () => {
    expect([0, 0.0004, 0.007, 0.0949, 0.1, 1].map(percent)).toEqual(["0 %", "<0.1 %", "0.7 %", "9.5 %", "10 %", "100 %"]);
  });

  it("are rates", () => {
    expect([3.14159, 99.94, 412.6].map(rate)).toEqual(["3.1", "99.9", "413"]);
  });
});

describe("a setting that is typed", () => {
  it("is brought into its range", () => {
    expect(readNumber(spec("temperature"), "9")).toBe(2);
    expect(readNumber(spec("temperature"), " 0,7 ")).toBe(0.7);
    expect(readNumber(spec("top_k"), "12.6")).toBe(13);
    expect(readNumber(spec("top_k"), "-4")).toBe(0);
  });

  it("is none where it is no number", () => {
    for (const text of ["", "  ", "warm", "1e999", "NaN"]) expect(readNumber(spec("temperature"), text)).toBeUndefined();
  });

  it("is found in anything, and everything else left out", () => {
    expect(asSampling({ top_p: 0.5, seed: 7, temperature: "1", other: 2 })).toEqual({ top_p: 0.5, seed: 7 });
    for (const value of [null, 3, "x", []]) expect(asSampling(value)).toEqual({});
  });
});

describe("a title", () => {
  it("is the beginning of a text, cut between words", () => {
    expect(titleOf("  Tell me\n of a dog ")).toBe("Tell me of a dog");
    expect(titleOf("What is squared ReLU, and why does it make a model fast?")).toBe("What is squared ReLU, and why does it make a…");
    expect(titleOf("x".repeat(60))).toBe("x".repeat(48) + "…");
    expect(titleOf(" \n ")).toBe("New chat");
  });
});

describe("chats by day", () => {
  const now = new Date(2026, 5, 10, 15).getTime();
  const at = (day: number, hour: number) => ({ updated: new Date(2026, 5, day, hour).getTime() });

  it("are grouped as people say it, the newest first", () => {
    const groups = byDay([at(1, 8), at(10, 1), at(9, 23), at(10, 14), at(5, 12)], now);
    expect(groups.map((group) => [group.name, group.items.length])).toEqual([["Today", 2], ["Yesterday", 1], ["This week", 1], ["Earlier", 1]]);
    expect(groups[0]!.items[0]).toEqual(at(10, 14));
    expect(byDay([], now)).toEqual([]);
  });
});

describe("ids", () => {
  it("are different, and plain words", () => {
    const ids = new Set(Array.from({ length: 1000 }, newId));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{24}$/);
  });
});
