// Runs a chat of two socket.io clients: node two-clients.mjs PACKAGE URL TRANSPORT…
// Prints as JSON what they received.
import { createRequire } from "node:module";

const [name, url, ...transports] = process.argv.slice(2);
const { io } = createRequire(import.meta.url)(name);
const MESSAGES = 20;

function createClient() {
  const socket = io(url, { transports, forceNew: true, reconnection: false });
  const heard = [];
  socket.on("newmsg", (said, { id }) => heard.push([said.message, id]));
  const request = (...event) => new Promise((resolve) => socket.emit(...event, resolve));
  const transport = () => socket.io.engine.transport.name;
  return { socket, heard, request, transport };
}

async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const [ann, bo] = [createClient(), createClient()];
const [annsName, bosName] = [`Ann ${process.pid}`, `Bo ${process.pid}`];
const named = [
  await ann.request("setUsername", annsName),
  await bo.request("setUsername", annsName.toLowerCase()),
  await bo.request("setUsername", bosName),
];
const last = transports.at(-1);
await until(() => ann.transport() === last && bo.transport() === last);
for (let n = 0; n < MESSAGES; n++) {
  const said = await [ann, bo][n % 2].request("msg", { message: `${n} <b>😀</b>` });
  if (!said.ok) throw new Error(JSON.stringify(said));
}
await until(() => ann.heard.length === MESSAGES && bo.heard.length === MESSAGES);
const reason = new Promise((resolve) => bo.socket.on("disconnect", resolve));
ann.socket.disconnect();
bo.socket.disconnect();
const found = { named, heard: [ann.heard, bo.heard], reason: await reason };
console.log(JSON.stringify(found));
process.exit(0);
