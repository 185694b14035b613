// `node --test check.mjs` with HOLDMETRICS_BINARY set: trees of every EVM format against the contracts of this folder, the npm
// package of OpenZeppelin and merkletreejs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SimpleMerkleTree, StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { keccak256 } from "ethereum-cryptography/keccak.js";
import { MerkleTree } from "merkletreejs";
import { verifier } from "./evm.mjs";

const binary = process.env.HOLDMETRICS_BINARY;
const folder = mkdtempSync(join(tmpdir(), "holdmetrics-"));
after(() => rmSync(folder, { recursive: true }));

const token = "0x1111111111111111111111111111111111111111";
const path = (name) => join(folder, name);
const airdrop = (...words) => execFileSync(binary, ["airdrop", ...words], { encoding: "utf8" });
const json = (name) => JSON.parse(readFileSync(path(name), "utf8"));
const hash = (text) => Buffer.from(keccak256(Buffer.from(text)));
const hex = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;

// 23 is odd on several levels of a tree.
const payments = Array.from({ length: 23 }, (_, row) => [hex(hash(`${row}`)).slice(0, 42), `${10n ** BigInt(row)}`]);
writeFileSync(path("list.csv"), ["address,amount", ...payments.map((row) => row.join(","))].join("\n"));

/// The root of a tree and all its proofs; the tree is written once.
const written = new Map();
function proofs(format, ...more) {
  if (!written.has(format)) written.set(format, write(format, more));
  return written.get(format);
}

function write(format, more) {
  const [tree, lines] = [path(format), path(`${format}.jsonl`)];
  const root = airdrop("tree", path("list.csv"), "--format", format, "--output", tree, ...more).trim().slice(5);
  airdrop("proofs", tree, "--output", lines);
  const rows = readFileSync(lines, "utf8").trim().split("\n").map(JSON.parse);
  return { root, rows };
}

const kinds = [
  ["standard-v1", "StandardLeaf", []],
  ["simple-v1", "SimpleLeaf", []],
  ["uniswap", "UniswapLeaf", []],
  ["ens-shards", "ShardedLeaf", []],
  ["thirdweb-shards", "ShardedLeaf", []],
  ["sablier-evm", "SablierLeaf", []],
  ["merkl", "MerklLeaf", ["--token", token]],
];
for (const [format, name, more] of kinds) {
  test(`${name} accepts every proof of ${format}, and no other amount`, async () => {
    const contract = await verifier(name);
    const { root, rows } = proofs(format, ...more);
    assert.equal(rows.length, payments.length);
    for (const { value, leaf, proof } of rows) {
      const given = name === "SimpleLeaf" ? [leaf] : value;
      assert.equal(await contract("verify", [root, ...given, proof]), true);
      const last = given.at(-1);
      const wrong = name === "SimpleLeaf" ? hex(hash(last)) : `${BigInt(last) + 1n}`;
      assert.equal(await contract("verify", [root, ...given.slice(0, -1), wrong, proof]), false);
    }
  });
}

test("OpenZeppelin's package writes the same dump and gives the same proofs", async () => {
  proofs("standard-v1");
  const text = readFileSync(path("standard-v1"), "utf8");
  const theirs = StandardMerkleTree.of(payments, ["address", "uint256"]);
  assert.equal(JSON.stringify(theirs.dump()), text);
  const loaded = StandardMerkleTree.load(JSON.parse(text));
  loaded.validate();
  const contract = await verifier("StandardLeaf");
  for (const chosen of [[3], [0, 1], [22, 4, 9, 10], payments.map((_, row) => row)]) {
    const holders = chosen.flatMap((row) => ["--holder", payments[row][0]]);
    const ours = JSON.parse(airdrop("proof", path("standard-v1"), ...holders));
    if (chosen.length === 1) {
      assert.deepEqual(ours.proof, loaded.getProof(chosen[0]));
      continue;
    }
    const many = loaded.getMultiProof(chosen);
    assert.deepEqual([ours.values, ours.proof, ours.proofFlags], [many.leaves, many.proof, many.proofFlags]);
    const columns = [0, 1].map((column) => ours.values.map((value) => value[column]));
    assert.equal(await contract("verifyMany", [ours.root, ...columns, ours.proof, ours.proofFlags]), true);
    columns[1][0] = "5";
    assert.equal(await contract("verifyMany", [ours.root, ...columns, ours.proof, ours.proofFlags]), false);
  }
});

test("OpenZeppelin's package agrees on leaves of other types and on ready leaves", () => {
  const types = ["uint8", "string", "bytes32", "bool", "int64", "bytes"];
  const values = [
    ["1", 'say "é"', hex(hash("a")), true, "-7", "0x"],
    ["255", "", hex(hash("b")), false, "9", "0x0102"],
    ["1", 'say "é"', hex(hash("a")), true, "-7", "0x"],
  ];
  const cell = (value) => `"${`${value}`.replaceAll('"', '""')}"`;
  writeFileSync(path("rows.csv"), [types, ...values].map((row) => row.map(cell).join(",")).join("\n"));
  for (const sortLeaves of [true, false]) {
    const order = sortLeaves ? [] : ["--unsorted-leaves"];
    airdrop("tree", path("rows.csv"), "--types", types.join(","), "--output", path("rows.json"), ...order);
    const theirs = StandardMerkleTree.of(values, types, { sortLeaves });
    assert.equal(JSON.stringify(theirs.dump()), readFileSync(path("rows.json"), "utf8"));
    const leaves = values.map((row) => hex(hash(`${row}`)));
    writeFileSync(path("leaves.csv"), ["leaf", ...leaves].join("\n"));
    airdrop("tree", path("leaves.csv"), "--format", "simple-v1", "--output", path("leaves.json"), ...order);
    const ready = SimpleMerkleTree.of(leaves, { sortLeaves });
    assert.equal(JSON.stringify(ready.dump()), readFileSync(path("leaves.json"), "utf8"));
  }
});

test("merkletreejs gives the roots of uniswap, merkl and of shards", () => {
  const tree = (leaves) => new MerkleTree(leaves, (bytes) => Buffer.from(keccak256(bytes)), { sort: true });
  for (const [format, more] of [["uniswap", []], ["merkl", ["--token", token]]]) {
    const { root, rows } = proofs(format, ...more);
    assert.equal(tree(rows.map(({ leaf }) => leaf)).getHexRoot(), root);
  }
  const { root, rows } = proofs("ens-shards");
  const shards = new Map();
  for (const { value, leaf } of rows) {
    const shard = value[0].slice(2, 4).toLowerCase();
    shards.set(shard, [...(shards.get(shard) ?? []), leaf]);
  }
  const roots = [...shards.values()].map((leaves) => tree(leaves).getHexRoot());
  assert.equal(tree(roots).getHexRoot(), root);
  assert.equal(json("ens-shards/root.json").root, root);
});
