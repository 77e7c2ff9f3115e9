import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { chat } from "./chat.mjs";

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();
const server = createServer((request, response) => response.writeHead(404).end());
chat(new Server(server, { adapter: createAdapter(client) }));
server.listen({ port: process.env.PORT, host: "127.0.0.1", backlog: 2048 }); // the same as gunicorn's
