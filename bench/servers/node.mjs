import { createServer } from "node:http";
import { Server } from "socket.io";
import { chat } from "./chat.mjs";

const server = createServer((request, response) => response.writeHead(404).end());
chat(new Server(server));
server.listen({ port: process.env.PORT, host: "127.0.0.1", backlog: 2048 }); // the same as gunicorn's
