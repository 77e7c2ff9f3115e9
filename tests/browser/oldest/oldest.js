// A minimal client, as written for the first version of the chat (docs/wire.md).
// The query string is the address of another server; the fragment is the transport to use.
var options = location.hash ? { transports: [location.hash.slice(1)] } : {};
var socket = location.search ? io(location.search.slice(1), options) : io(options);
var user;

function byId(id) {
  return document.getElementById(id);
}

byId("set").onclick = function () {
  socket.emit("setUsername", byId("name").value);
};

byId("send").onclick = function () {
  socket.emit("msg", { message: byId("message").value, user: user });
};

socket.on("connect", function () {
  document.body.className = "is-ready";
});

socket.on("userExists", function (text) {
  byId("error-container").textContent = text;
});

socket.on("userSet", function (name) {
  user = name;
  byId("error-container").textContent = "";
  byId("start").style.display = "none";
  byId("chat").style.display = "";
});

socket.on("newmsg", function (data) {
  if (!user) return;
  var line = document.createElement("div");
  line.textContent = data.user + ": " + data.message;
  byId("message-container").appendChild(line);
});
