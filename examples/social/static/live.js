const badge = document.getElementById("unread")
if (badge) {
  new EventSource(badge.dataset.stream).addEventListener("unread", event => {
    const { unread } = JSON.parse(event.data)
    badge.textContent = unread
    badge.hidden = !unread
  })
}
