// One part for each card of the page.
const card = id => {
  const root = document.getElementById(id)
  return { root, url: root.dataset.url, form: root.querySelector("form"), out: root.querySelector(".out") }
}

const answer = card("answer")
let source
answer.form.addEventListener("submit", event => {
  event.preventDefault()
  source?.close()
  answer.out.textContent = ""
  answer.out.classList.add("live")
  const query = new URLSearchParams({ question: answer.form.question.value, seed: Date.now() % 1000 })
  source = new EventSource(`${answer.url}?${query}`)
  source.addEventListener("token", event => { answer.out.textContent += `${event.data} ` })
  source.addEventListener("done", () => { source.close(); answer.out.classList.remove("live") })
})

const predict = card("predict")
predict.form.addEventListener("submit", async event => {
  event.preventDefault()
  predict.out.textContent = "…"
  const flower = Object.fromEntries([...new FormData(predict.form)].map(([name, value]) => [name, Number(value)]))
  const response = await fetch(predict.url, {
    method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify([flower]),
  })
  const [found] = await response.json()
  predict.out.textContent = `Iris ${found.species}, ${Math.round(found.certainty * 100)} % sure`
})

const readings = card("readings")
readings.root.querySelector("button").addEventListener("click", async () => {
  const progress = readings.root.querySelector("progress")
  const begun = performance.now()
  const response = await fetch(readings.url, { headers: { Accept: "text/csv" } })
  const reader = response.body.getReader()
  let rows = -1, bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.length
    for (const byte of value) if (byte === 10) rows += 1
    progress.value = rows
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  readings.out.textContent = `${rows.toLocaleString("en")} rows, ${(bytes / 1e6).toFixed(1)} MB in ${seconds} s`
})

const chat = card("chat")
const say = chat.root.querySelector(".say")
const said = chat.root.querySelector(".said")
let socket
chat.form.addEventListener("submit", event => {
  event.preventDefault()
  const url = new URL(chat.url, location.href)
  url.protocol = url.protocol.replace("http", "ws")
  url.searchParams.set("name", chat.form.elements.name.value)
  socket = new WebSocket(url)
  socket.addEventListener("open", () => { chat.form.hidden = true; say.hidden = false; say.text.focus() })
  socket.addEventListener("message", event => {
    const { name, text } = JSON.parse(event.data)
    const line = document.createElement("li")
    if (name) line.append(Object.assign(document.createElement("strong"), { textContent: `${name} ` }), text)
    else { line.className = "news"; line.textContent = text }
    said.append(line)
    said.scrollTop = said.scrollHeight
  })
  socket.addEventListener("close", () => { chat.form.hidden = false; say.hidden = true })
})
say.addEventListener("submit", event => {
  event.preventDefault()
  if (say.text.value) socket.send(JSON.stringify({ text: say.text.value }))
  say.text.value = ""
})
