// The search runs in a worker, which a page that was opened as a file may not start: here it runs
// in a hidden frame instead, as the theme's search expects (`IFrameWorker`).
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inner = frame.contentWindow
      this.inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      this.inner.importScripts = (...addresses) =>
        addresses.reduce((before, each) => before.then(() => this.load(each)), Promise.resolve())
      this.ready = this.load(new URL(address, document.baseURI).href)
    }

    load(address) {
      const script = this.inner.document.createElement("script")
      script.src = address
      return new Promise((resolve, reject) => {
        script.onload = resolve
        script.onerror = reject
        this.inner.document.body.append(script)
      })
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
  window.Worker = window.IFrameWorker
}
