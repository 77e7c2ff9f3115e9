// Runs clients of several socket.io versions in one room: node many-clients.mjs URL COUNT CLIENT…
// A CLIENT is PACKAGE:TRANSPORT+TRANSPORT. Each sends COUNT messages. A client with `!` at its end loses
// its connection halfway. Prints as JSON what each client received.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [url, count, ...specs] = process.argv.slice(2);
const COUNT = Number(count);
const IN_FLIGHT = 32; // unacknowledged messages; clients 2.x send them in one POST
const MAX_LAG = 300; // messages; a polling client gets 16 at a time, and a slower one is disconnected
const TIMEOUT_MS = 90_000; // after which the status of each client is printed, and the run fails
const ROOM = `many-${process.pid}`;

class Client {
  heard = new Map(); // message ids to [user, text]
  acknowledged = []; // ids, in the order of sending
  odd = []; // descriptions of faults
  connections = 0;
  last = 0; // the id of the last message received
  read = 0; // the last id of the history read at the last join

  constructor(description, number) {
    const [, name, transports, breaks] = description.match(/^([^:]+):([^!]+)(!?)$/);
    this.name = `Client ${number} of ${process.pid}`;
    this.description = description;
    this.breakAt = breaks ? Math.floor(COUNT / 2) : Infinity;
    this.transports = transports.split("+");
    const io = require(name);
    this.socket = (io.io ?? io)(url, {
      transports: this.transports,
      forceNew: true,
      reconnectionDelay: 20,
    });
    this.socket.on("newmsg", (said, position) => this.receive(said, position));
    this.socket.on("disconnect", (reason) => {
      if (reason !== "forced close") this.odd.push(reason);
    });
    this.socket.on("error", (error) => this.odd.push(`error ${error}`));
  }

  ask(...event) {
    return new Promise((resolve) => this.socket.emit(...event, resolve));
  }

  receive({ user, message }, { room, id }) {
    if (room !== ROOM || id <= this.read) return;
    if (this.heard.has(id)) this.odd.push(`${id} twice`);
    if (id <= this.last) this.odd.push(`${id} after ${this.last}`);
    if (id !== this.last + 1 && this.connections === 1) this.odd.push(`a gap before ${id}`);
    this.heard.set(id, [user, message]);
    this.last = id;
  }

  async connected() {
    if (!this.socket.connected) await new Promise((resolve) => this.socket.once("connect", resolve));
    this.connections += 1;
  }

  // Claim the name, join the room, and read the messages that were missed.
  async enter(name = this.name) {
    let answer = await this.ask("setUsername", name);
    if (!answer.ok) return answer;
    let since = this.last;
    for (let more = true; more; ) {
      answer = await this.ask("join", { room: ROOM, since, limit: 200 });
      for (const [{ user, message }, { id }] of answer.messages) {
        this.heard.set(id, [user, message]);
        since = id;
      }
      this.last = Math.max(this.last, since);
      more = answer.more;
    }
    this.read = since;
    return answer;
  }

  async upgraded() {
    const wanted = this.transports.at(-1);
    while (this.socket.io.engine.transport.name !== wanted) await sleep(5);
  }

  async talk() {
    const unsaid = Array.from({ length: COUNT }, (_, number) => number);
    while (unsaid.length) {
      if (this.acknowledged.length >= this.breakAt) {
        this.breakAt = Infinity;
        await this.reconnect();
      }
      while (this.last - slowestId() > MAX_LAG) await sleep(1);
      const now = unsaid.splice(0, IN_FLIGHT);
      const answers = await Promise.all(now.map((number) => this.send(number)));
      for (const answer of answers) {
        if (answer.ok) this.acknowledged.push(answer.id);
        else this.odd.push(JSON.stringify(answer));
      }
    }
  }

  async reconnect() {
    const over = new Promise((resolve) => this.socket.once("disconnect", resolve));
    this.socket.io.engine.close();
    await over;
    await this.connected();
    // The server may accept the new connection before it notices that the old one, with the name, is gone.
    while (!(await this.enter()).ok) await sleep(20);
  }

  status() {
    const { socket, connections, acknowledged, heard, last, odd } = this;
    const transport = socket.connected ? socket.io.engine.transport.name : "nothing";
    const counts = `${acknowledged.length} acknowledged, ${heard.size} heard up to ${last}`;
    return `${this.description}: connection ${connections} over ${transport}, ${counts} ${odd}`;
  }

  send(number) {
    return this.ask("msg", { room: ROOM, message: `${number} 😀` });
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const slowestId = () => Math.min(...clients.map((client) => client.last));

const clients = specs.map((description, number) => new Client(description, number));
setTimeout(() => {
  for (const client of clients) console.error(client.status());
  process.exit(1);
}, TIMEOUT_MS);
await Promise.all(clients.map((client) => client.connected()));
const first = clients[0];
await first.enter();
const refused = [];
for (const client of clients.slice(1)) {
  const sentence = new Promise((resolve) => client.socket.once("userExists", resolve));
  const answer = await client.enter(first.name.toUpperCase());
  refused.push([answer.code, await sentence]);
  await client.enter();
}
await Promise.all(clients.map((client) => client.upgraded()));
await Promise.all(clients.map((client) => client.talk()));
const total = COUNT * clients.length;
while (clients.some((client) => client.heard.size < total)) await sleep(10);
const log = JSON.stringify([...first.heard].sort(([a], [b]) => a - b));
const found = clients.map((client) => ({
  description: client.description,
  odd: client.odd.slice(0, 5),
  connections: client.connections,
  transport: client.socket.io.engine.transport.name,
  acknowledged: client.acknowledged,
  same: JSON.stringify([...client.heard].sort(([a], [b]) => a - b)) === log,
  own: [...client.heard].filter(([, [user]]) => user === client.name).sort(([a], [b]) => a - b),
}));
for (const client of clients) client.socket.disconnect();
const output = JSON.stringify({ refused, found, name: first.name.toUpperCase() });
process.stdout.write(output, () => process.exit(0));
