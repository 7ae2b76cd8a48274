#!/usr/bin/env node
// Compiles every source under contracts/ in one standard-JSON run of the pinned solc (wasm).
//
//   node scripts/compile.cjs            errors, warnings and deployed sizes, with via-IR
//   node scripts/compile.cjs --fast     the same without via-IR: quick feedback, not the shipped bytecode
//   node scripts/compile.cjs --json     solc's output as JSON on stdout (for build_abis.py), messages on stderr
//   ... --root DIR                      another directory that holds a contracts/ folder
"use strict";

const fs = require("fs");
const path = require("path");

// Plain JSON between the two markers: build_abis.py reads it too, to hash the settings without node.
const SETTINGS = /* settings-begin */ {
  "evmVersion": "cancun",
  "metadata": { "appendCBOR": false, "bytecodeHash": "none" },
  "optimizer": { "enabled": true, "runs": 200 },
  "viaIR": true
} /* settings-end */;

const OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"];
const SIZE_LIMIT = 24576; // EIP-170
const HOME = path.resolve(__dirname, "..");

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function parseArgs(argv) {
  const options = { fast: false, json: false, root: HOME };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--fast") options.fast = true;
    else if (argv[i] === "--json") options.json = true;
    else if (argv[i] === "--root" && argv[i + 1]) options.root = path.resolve(argv[++i]);
    else fail(`compile.cjs does not know the argument ${argv[i]}.`);
  }
  return options;
}

function loadSolc() {
  for (const name of ["solc", "@openzeppelin/contracts"]) {
    if (!fs.existsSync(path.join(HOME, "node_modules", name, "package.json"))) {
      fail(`The package ${name} is not installed: run npm ci first.`);
    }
  }
  return require(path.join(HOME, "node_modules", "solc"));
}

function collect(root, folder, found) {
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) collect(root, name, found);
    else if (entry.name.endsWith(".sol")) found.push(name);
  }
  return found;
}

function readSources(root) {
  if (!fs.existsSync(path.join(root, "contracts"))) fail("There is no contracts/ folder to compile.");
  const names = collect(root, "contracts", []).sort();
  if (names.length === 0) fail("There is no .sol file under contracts/ to compile.");
  return Object.fromEntries(
    names.map((name) => [name, { content: fs.readFileSync(path.join(root, name), "utf8") }])
  );
}

function standardInput(sources, fast) {
  // Only our own files are asked for: library code is compiled in, never emitted by itself.
  const outputSelection = Object.fromEntries(Object.keys(sources).map((name) => [name, { "*": OUTPUTS }]));
  const settings = { ...SETTINGS, outputSelection };
  if (fast) settings.viaIR = false;
  return { language: "Solidity", sources, settings };
}

function importsFrom(root) {
  const folders = [root, path.join(root, "node_modules"), path.join(HOME, "node_modules")];
  return (name) => {
    for (const folder of folders) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `${name} is neither a source of this project nor in node_modules.` };
  };
}

function printMessages(messages, say) {
  for (const message of messages) say(message.formattedMessage || `${message.severity}: ${message.message}\n`);
  const errors = messages.filter((message) => message.severity === "error").length;
  if (messages.length > 0) say(`${errors} error(s), ${messages.length - errors} warning(s) or note(s)\n`);
  return errors;
}

function printSizes(contracts, say) {
  const rows = [];
  for (const found of Object.values(contracts)) {
    for (const [name, contract] of Object.entries(found)) {
      const size = contract.evm.deployedBytecode.object.length / 2;
      if (size > 0) rows.push([name, size]);
    }
  }
  for (const [name, size] of rows.sort((a, b) => b[1] - a[1])) {
    const over = size > SIZE_LIMIT ? `  over the limit of ${SIZE_LIMIT}` : "";
    say(`${name.padEnd(32)} ${String(size).padStart(7)} bytes${over}\n`);
  }
}

function main() {
  const options = parseArgs(process.argv.slice(2));
  const say = (text) => fs.writeSync(options.json ? 2 : 1, text.endsWith("\n") ? text : `${text}\n`);
  const solc = loadSolc();
  const input = standardInput(readSources(options.root), options.fast);
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: importsFrom(options.root) }));
  if (printMessages(output.errors || [], say) > 0) {
    process.exitCode = 1;
    return;
  }
  if (!options.json) return printSizes(output.contracts || {}, say);
  const result = { version: solc.version(), settings: SETTINGS, contracts: output.contracts || {} };
  process.stdout.write(JSON.stringify(result));
}

main();
