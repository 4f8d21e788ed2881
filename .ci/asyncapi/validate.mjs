// Validates one AsyncAPI document with the official parser; prints what is wrong, by its place.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const SEVERITY_WARNING = 1;
const [path] = process.argv.slice(2);
const diagnostics = await new Parser().validate(readFileSync(path, "utf8"));
const faults = diagnostics.filter((one) => one.severity <= SEVERITY_WARNING);
for (const fault of faults) {
  console.error(`${fault.path.join("/")}: ${fault.message} (${fault.code})`);
}
console.error(`${path}: ${faults.length} faults.`);
process.exit(faults.length === 0 ? 0 : 1);
