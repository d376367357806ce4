(async () => {
  const place = document.getElementById("tokens");
  const answer = await fetch(place.dataset.source);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    place.textContent += value;
  }
})();
