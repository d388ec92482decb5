// Restate, asked by lines of JSON: how many steps, how many runs; it answers with seconds.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// Our standard output is for the answers; the log of each invocation would take time, too.
process.env.RESTATE_LOGGING = "ERROR";
const restate = await import("@restatedev/restate-sdk");

// Node 20 has none.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const chain = restate.service({
  name: "chain",
  handlers: {
    run: async (ctx, steps) => {
      let done = 0;
      for (let number = 0; number < steps; number++) {
        const { result } = await ctx.run(`light ${number}`, () => ({ result: number >= 0 }));
        done += Number(result);
      }
      return done;
    },
  },
});

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(request) {
  for (let tries = 0; tries < 600; tries++) {
    try {
      const answer = await request();
      if (answer.ok) return;
    } catch {
      // It does not listen yet.
    }
    await sleep(100);
  }
  throw new Error("Restate has not come up");
}

const [service, ingress, admin, node] = await Promise.all([1, 2, 3, 4].map(freePort));
const here = `restate-server-${process.platform}-${process.arch}`;
const server = spawn(`node_modules/@restatedev/${here}/bin/restate-server`, ["--no-logo"], {
  stdio: ["ignore", process.stderr, process.stderr],
  env: {
    ...process.env,
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_IP: "127.0.0.1",
    RESTATE_BIND_PORT: String(node),
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_DISABLE_TELEMETRY: "true",
  },
});
process.on("exit", () => server.kill());
process.on("SIGTERM", () => process.exit());

await restate.serve({ services: [chain], port: service });
await until(() =>
  fetch(`http://127.0.0.1:${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${service}` }),
  }),
);

async function run(steps) {
  const answer = await fetch(`http://127.0.0.1:${ingress}/chain/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(steps),
  });
  if (!answer.ok || (await answer.json()) !== steps) throw new Error(`${answer.status}`);
}

await until(async () => (await run(1), { ok: true }));
console.log("bench: ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [steps, runs] = JSON.parse(line);
  const began = performance.now();
  await Promise.all(Array.from({ length: runs }, () => run(steps)));
  console.log(`bench: ${(performance.now() - began) / 1000}`);
}
process.exit();
