// Browsers start no Worker for pages opened from a disk. There a hidden frame does a worker's
// work, so that the search answers without a server.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      this.inside = this.frame.contentWindow;
      this.hear = ({ source, data }) => {
        if (source !== this.inside) return;
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      addEventListener("message", this.hear);
      this.ready = new Promise((done) => { this.frame.onload = done; });
      const page = this.inside.document;
      page.open();
      page.write(`<script>
        postMessage = (data) => parent.postMessage(data, "*");
        importScripts = (...urls) => urls.reduce((before, url) => before.then(() =>
          new Promise((done, failed) => {
            const script = document.createElement("script");
            script.onload = done; script.onerror = failed; script.src = url;
            document.head.appendChild(script);
          })), Promise.resolve());
      </script><script src="${url}"></script>`);
      page.close();
    }

    postMessage(data) {
      // not the frame's own function, which now speaks to us
      this.ready.then(() => window.postMessage.call(this.inside, data, "*"));
    }

    terminate() {
      removeEventListener("message", this.hear);
      this.frame.remove();
    }
  };
}
