// The files of dist/page.archive, as src/server/page.cpp reads them.
import { readFileSync } from "node:fs";

export function readArchive(url) {
  const bytes = readFileSync(url);
  const end = bytes.indexOf("\n");
  let offset = end + 1;
  return JSON.parse(bytes.subarray(0, end).toString()).files.map((file) => {
    const content = bytes.subarray(offset, offset + file.size);
    offset += file.size;
    return { ...file, content };
  });
}
