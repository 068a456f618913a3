// Sets the colours before anything is drawn, so that a dark page never flashes white.
// A choice is kept per browser; without one the system's wish counts.
(() => {
  let theme = null
  try { theme = localStorage.getItem('warren-theme') } catch { /* storage is forbidden: no choice is kept */ }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
})()
