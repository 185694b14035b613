// node verify.mjs CONTRACT PROOF.json: does the contract accept a proof that `airdrop proof` printed? Exits with 1 if not.

import { readFileSync } from "node:fs";
import { verifier } from "./evm.mjs";

const [name, path] = process.argv.slice(2);
const { value, leaf, proof, root } = JSON.parse(readFileSync(path, "utf8"));
const contract = await verifier(name);
const given = name === "SimpleLeaf" ? [leaf] : value;
const accepted = await contract("verify", [root, ...given, proof]);
console.log(`${name}: ${accepted ? "accepted" : "refused"}`);
process.exit(accepted ? 0 : 1);
