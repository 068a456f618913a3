// Form fields, and how their values are read.
import { el } from './dom.js'

// field makes a labelled field of {name, label, type, value, options, required, help}.
// Types are those of input, and select, area, check and json (an object as JSON text).
export function field(f) {
  const id = `f-${f.name}-${++made}`
  const common = { id, name: f.name, required: f.required, placeholder: f.placeholder, 'aria-describedby': f.help ? `${id}-help` : null }
  const help = f.help && el('small', { id: `${id}-help` }, f.help)
  if (f.type === 'check') {
    return el('div', { class: 'field check' }, el('input', { ...common, type: 'checkbox', checked: f.value }), el('label', { for: id }, f.label), help)
  }
  let input
  if (f.type === 'select') {
    input = el('select', common, f.options.map((o) => {
      const [value, text] = Array.isArray(o) ? o : [o, o]
      return el('option', { value, selected: value === f.value }, text)
    }))
  } else if (f.type === 'area' || f.type === 'json') {
    input = el('textarea', { ...common, rows: f.rows ?? 3, spellcheck: 'false' }, f.value ?? '')
  } else {
    input = el('input', { ...common, type: f.type ?? 'text', value: f.value, autocomplete: f.autocomplete ?? 'off', min: f.min, max: f.max, accept: f.accept, spellcheck: 'false' })
  }
  return el('div', { class: 'field' }, el('label', { for: id }, f.label), input, help)
}

let made = 0 // keeps ids apart

// values reads a form's fields by name. It throws if a field of type json has none.
export function values(form, fields) {
  const result = {}
  for (const f of fields) {
    const input = form.elements.namedItem(f.name)
    if (f.type === 'check') result[f.name] = input.checked
    else if (f.type === 'number') result[f.name] = input.value === '' ? undefined : Number(input.value)
    else if (f.type === 'file') result[f.name] = input.files[0]
    else if (f.type === 'json') result[f.name] = object(input.value, f.label)
    else result[f.name] = input.value
  }
  return result
}

function object(text, label) {
  if (text.trim() === '') return {}
  let value
  try { value = JSON.parse(text) } catch (err) { throw new Error(`${label}: ${err.message}`) }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error(`${label}: write a JSON object, such as {"key": 1}.`)
  return value
}
