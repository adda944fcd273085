// Call a JavaScript client library for a test: see tests/clients/library.py.

import { createInterface } from "node:readline";

const library = await import(process.argv[2]);

async function reply({ name, made_of, method, arguments: args, n_items }) {
  const client = new library[name](...made_of);
  const answer = client[method](...args);
  if (!(Symbol.asyncIterator in answer)) return await answer;
  const items = [];
  for await (const item of answer) {
    items.push(item);
    if (items.length === n_items) break;
  }
  return items;
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await reply(JSON.parse(line)).then(
    (value) => ({ value: value ?? null }),
    (error) => ({
      raised: [error.constructor.name],
      message: error.message + JSON.stringify(error.httpResponse ?? ""),
    }),
  );
  process.stdout.write(JSON.stringify(answer) + "\n");
}
