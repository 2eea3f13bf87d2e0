// Around textual-serve's script: where the websocket is, and why it was closed.
"use strict";
(() => {
  const words = document.querySelector("#words");
  const place = new URL("/tui/ws", location.href);
  const socket = new URL(place);
  socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  document.querySelector("#terminal").dataset.sessionWebsocketUrl = socket.href;
  document.querySelector("#again").addEventListener("click", () => location.reload());

  const say = (text) => {
    words.textContent = text;
    document.querySelector("#more").hidden = false;
    document.querySelector("#again").focus();
  };

  // what refused the websocket says why to who asks it by plain HTTP
  const refused = async () => {
    try {
      const answer = await fetch(place, { headers: { Accept: "application/json" } });
      const said = await answer.json();
      if (answer.status === 426) return "The connection was lost.";
      return said.remedy ? `${said.error}: ${said.remedy}` : said.error;
    } catch {
      return "The server cannot be reached.";
    }
  };

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(address) {
      super(address);
      // keys work at once, without a click
      this.addEventListener("open", () => document.querySelector(".xterm-helper-textarea")?.focus());
      this.addEventListener("close", async (event) => {
        say(event.reason || (event.code === 1006 ? await refused() : "The screen has ended."));
      });
    }

    // what is typed while the connection opens or after it has closed goes nowhere
    send(data) {
      if (this.readyState === Plain.OPEN) super.send(data);
    }
  };
})();
