// n8n, asked by lines of JSON: how many steps, how many runs; it answers with seconds.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const sizes = JSON.parse(process.argv[2]);
const database = new URL(process.env.DATABASE);
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const environment = {
  ...process.env,
  N8N_USER_FOLDER: process.cwd(),
  N8N_LISTEN_ADDRESS: "127.0.0.1",
  N8N_PORT: String(port),
  N8N_DIAGNOSTICS_ENABLED: "false",
  N8N_VERSION_NOTIFICATIONS_ENABLED: "false",
  DB_TYPE: "postgresdb",
  DB_POSTGRESDB_HOST: database.hostname,
  DB_POSTGRESDB_PORT: database.port,
  DB_POSTGRESDB_DATABASE: database.pathname.slice(1),
  DB_POSTGRESDB_USER: decodeURIComponent(database.username),
  DB_POSTGRESDB_PASSWORD: decodeURIComponent(database.password),
};
const n8n = "node_modules/n8n/bin/n8n";

// Each node's result is kept as it ends, as the others keep their steps'.
function chain(steps) {
  const names = Array.from({ length: steps }, (_, number) => `Light ${number}`);
  const nodes = names.map((name, number) => ({
    id: name,
    name,
    type: "n8n-nodes-base.if",
    typeVersion: 1,
    position: [200 * (number + 1), 0],
    parameters: { conditions: { boolean: [{ value1: true, value2: true }] } },
  }));
  const start = {
    id: "start",
    name: "Start",
    type: "n8n-nodes-base.webhook",
    typeVersion: 2,
    position: [0, 0],
    webhookId: `chain${steps}`,
    parameters: { httpMethod: "POST", path: `chain${steps}`, responseMode: "lastNode" },
  };
  const path = ["Start", ...names];
  const connections = Object.fromEntries(
    path
      .slice(0, -1)
      .map((name, number) => [
        name,
        { main: [[{ node: path[number + 1], type: "main", index: 0 }]] },
      ]),
  );
  const settings = { saveExecutionProgress: true };
  return { id: `chain${steps}`, name: `${steps} steps`, nodes: [start, ...nodes], connections, settings };
}

function command(...words) {
  execFileSync("node", [n8n, ...words], { env: environment, stdio: ["ignore", 2, 2] });
}

mkdirSync("chains");
for (const steps of sizes) {
  writeFileSync(`chains/${steps}.json`, JSON.stringify(chain(steps)));
}
command("import:workflow", "--separate", "--input=chains");
for (const steps of sizes) {
  command("publish:workflow", `--id=chain${steps}`);
}

const server = spawn("node", [n8n, "start"], { env: environment, stdio: ["ignore", 2, 2] });
process.on("exit", () => server.kill());
process.on("SIGTERM", () => process.exit());

async function run(steps) {
  const answer = await fetch(`http://127.0.0.1:${port}/webhook/chain${steps}`, { method: "POST" });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

for (let tries = 0; ; tries++) {
  try {
    await run(sizes[0]);
    break;
  } catch (error) {
    if (tries === 300) throw error;
    await sleep(500);
  }
}
console.log("bench: ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [steps, runs] = JSON.parse(line);
  const began = performance.now();
  await Promise.all(Array.from({ length: runs }, () => run(steps)));
  console.log(`bench: ${(performance.now() - began) / 1000}`);
}
process.exit();
