// The socket: one connection for all publications of the page, kept up for as long as the page is open.

const SILENCE_MS = 8_000;
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const SIGNED_OUT = 4401;
const NOT_ALLOWED = 4403;

const decoder = new TextDecoder();

export class Link {
  #publications = new Set();
  #socket = null;
  #failures = 0;
  #answers = false;
  #timer = 0;
  #watchdog = 0;

  // `onFrame` gets each frame, `onState` one of "connecting", "open", "waiting" (with the ms until the
  // next attempt, and what the server said as it closed).
  constructor(url, { onFrame, onState }) {
    this.url = url;
    this.onFrame = onFrame;
    this.onState = onState;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => this.#hurry());
    this.#connect();
  }

  subscribe(name) {
    this.#publications.add(name);
    this.#send({ subscribe: [name] });
  }

  unsubscribe(name) {
    this.#publications.delete(name);
    this.#send({ unsubscribe: [name] });
  }

  resync(name) {
    this.#send({ resync: [name] });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #connect() {
    this.onState("connecting", 0, "");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#watch();
    socket.onopen = () => {
      this.#send({ subscribe: [...this.#publications] });
    };
    socket.onmessage = (event) => {
      // Only a server that sends something is there.
      if (!this.#answers) this.onState("open", 0, "");
      this.#answers = true;
      this.#failures = 0;
      this.#watch();
      this.onFrame(JSON.parse(decoder.decode(event.data)));
    };
    socket.onclose = (event) => this.#lost(socket, event.code, event.reason);
  }

  // A connection can die without a word; the server is never silent for long.
  #watch() {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#watchdog = setTimeout(() => {
      socket.onclose = null;
      socket.onmessage = null;
      socket.close();
      this.#lost(socket, 0, "");
    }, SILENCE_MS);
  }

  #lost(socket, code, why) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#watchdog);
    this.#socket = null;
    this.#answers = false;
    // What is shown without a session or permission is for the server to say.
    if (code === SIGNED_OUT || code === NOT_ALLOWED) {
      location.reload();
      return;
    }
    if (this.#failures) this.#askWhetherSignedIn();
    const longest = Math.min(SHORTEST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    const wait = longest / 2 + (Math.random() * longest) / 2;
    this.#failures += 1;
    this.onState("waiting", wait, why);
    this.#timer = setTimeout(() => this.#again(), wait);
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#connect();
  }

  // Somebody looks, or the network is back: no reason to wait longer.
  #hurry() {
    if (this.#timer && !document.hidden) this.#again();
  }

  // A refused handshake does not say why; the page itself does.
  async #askWhetherSignedIn() {
    try {
      const answer = await fetch(location.pathname, { method: "HEAD", redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 403) location.reload();
    } catch {
      // The server is away; the next attempt will tell.
    }
  }
}
