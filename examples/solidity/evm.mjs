// Compiles the verifiers of this folder and calls them in an EVM inside this process. Needs no node and no network.

import { readFileSync } from "node:fs";
import { createEVM } from "@ethereumjs/evm";
import { decode, encode } from "@metamask/abi-utils";
import solc from "solc";

const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8");

/// The contract in `NAME.sol`, as a function that calls it.
export async function verifier(name) {
  const input = {
    language: "Solidity",
    sources: { [`${name}.sol`]: { content: read(`${name}.sol`) } },
    settings: { outputSelection: { "*": { "*": ["abi", "evm.deployedBytecode.object", "evm.methodIdentifiers"] } } },
  };
  const source = (path) => ({ contents: read(path.replace("./", "")) });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: source }));
  if (output.errors?.length) throw new Error(output.errors[0].formattedMessage);
  const contract = output.contracts[`${name}.sol`][name];
  const code = Buffer.from(contract.evm.deployedBytecode.object, "hex");
  const evm = await createEVM();
  return async (method, values) => {
    const { inputs } = contract.abi.find((item) => item.name === method);
    const types = inputs.map((input) => input.type);
    const selector = contract.evm.methodIdentifiers[`${method}(${types.join(",")})`];
    const data = Buffer.concat([Buffer.from(selector, "hex"), encode(types, values)]);
    const { exceptionError, returnValue } = await evm.runCode({ code, data, gasLimit: 30_000_000n });
    if (exceptionError) throw new Error(`${name}.${method}: ${exceptionError.error}`);
    return decode(["bool"], returnValue)[0];
  };
}
