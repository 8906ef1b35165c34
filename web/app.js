// The dashboard: a page of /v1/images, kept up to date by the events of /v1/events.
'use strict';

const PAGE = 50;
const VERDICTS = ['unknown', 'no_face']; // filters that are no status
const PERSON_OF = {unknown: 'unknown', no_face: 'no face'}; // what stands for a person
const PARTIAL = 'the file is cut short: what is there was looked at';
let isAdmin = false;
const rows = document.getElementById('rows');
const filter = document.getElementById('filter');
const older = document.getElementById('older');
const newest = document.getElementById('newest');
let next = null; // cursor of the page after the one that is shown
let onNewest = true;
let requested = 0; // number of the newest page request; answers to older ones are dropped
let loading = 0; // page requests without an answer
let pendingEvents = []; // events during a page request; the page may be older, so they are applied after it

function text(tag, value, className) {
  const cell = document.createElement(tag);
  cell.textContent = value;
  if (className) cell.className = className;
  return cell;
}

function bestFace(image) {
  let best = null;
  for (const face of image.faces)
    if (face.similarity !== null && (!best || face.similarity > best.similarity)) best = face;
  return best;
}

function pictureCell(image) {
  const cell = text('td', '', 'image');
  if (image.status === 'failed' && image.faces.length === 0) return cell;
  if (image.gone || image.changed) return cell; // the server does not show another content
  const link = document.createElement('a');
  const picture = document.createElement('img');
  link.href = `v1/images/${image.id}/photo?width=2048`; // as JPEG: browsers show few other formats
  picture.alt = '';
  picture.loading = 'lazy';
  // The face with the best match: faces are too small in a thumbnail of the whole photo.
  const face = image.faces.indexOf(bestFace(image) || image.faces[0]);
  if (face >= 0) picture.src = `v1/images/${image.id}/faces/${face}/crop?width=128`;
  else if (image.verdict === 'no_face') picture.src = `v1/images/${image.id}/photo?width=128`;
  picture.onerror = () => picture.remove();
  link.append(picture);
  cell.append(link);
  return cell;
}

// A failed image can be retried alone, also when another try is not likely to cure it.
function statusCell(image) {
  const cell = text('td', image.status, image.status);
  if (image.status !== 'failed' || !isAdmin) return cell;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'again';
  button.ariaLabel = `Retry image ${image.id}`;
  button.title = image.retryable ? 'Retry; another try may cure it' : 'Retry';
  button.onclick = async () => {
    const answer = await fetch(`v1/images/${image.id}/retry`, {method: 'POST'});
    if (!answer.ok) document.getElementById('note').textContent = (await answer.json()).detail;
  };
  cell.append(button);
  return cell;
}

// A name in doubt has a word beside it.
const DOUBTS = {
  near_threshold: 'the name is near the threshold',
  small_margin: 'another person is nearly as similar',
  low_quality: 'the face has low quality',
};
function personCell(image) {
  const cell = text('td', image.person.name, 'known');
  if (!image.review) return cell;
  const check = text('span', 'check', 'check');
  check.title = image.review_reasons.map((reason) => DOUBTS[reason] || reason).join('; ');
  cell.append(' ', check);
  return cell;
}

// An upload is called as its client called it. A file that is not the one that was looked at any more is marked.
function nameCell(image) {
  const cell = text('td', image.filename || image.path, 'path');
  if (image.filename) cell.title = image.path;
  const mark = image.gone ? 'file gone' : image.changed ? 'file changed since' : '';
  if (mark) cell.append(' ', text('span', mark, 'mark'));
  return cell;
}

function rowOf(image) {
  const row = document.createElement('tr');
  const best = bestFace(image);
  row.dataset.id = image.id;
  row.append(text('td', image.id, 'number'), pictureCell(image), nameCell(image));
  if (image.person) row.append(personCell(image));
  else row.append(text('td', PERSON_OF[image.verdict] || '', image.verdict || ''));
  row.append(text('td', best ? best.similarity.toFixed(2) : '', 'number'));
  row.append(statusCell(image), text('td', image.partial ? PARTIAL : image.reason || '', 'reason'));
  return row;
}

function matches(image) {
  if (filter.value === '') return true;
  if (filter.value === 'review') return image.review;
  if (VERDICTS.includes(filter.value)) return image.verdict === filter.value;
  return image.status === filter.value;
}

function findRow(id) {
  return rows.querySelector(`tr[data-id="${id}"]`);
}

function showEmpty() {
  document.getElementById('empty').hidden = rows.children.length > 0 || filter.value !== '';
}

function applyImage(image) {
  if (loading) pendingEvents.push(() => applyImage(image));
  const old = findRow(image.id);
  if (!matches(image)) {
    if (old) old.remove();
    return;
  }
  const row = rowOf(image);
  row.classList.add('fresh');
  if (old) {
    old.replaceWith(row);
  } else if (onNewest) {
    let before = rows.firstElementChild;
    while (before && Number(before.dataset.id) > image.id) before = before.nextElementSibling;
    if (!before && rows.children.length >= PAGE) return;
    rows.insertBefore(row, before);
    while (rows.children.length > PAGE) rows.lastElementChild.remove();
  }
  showEmpty();
}

function removeImage(id) {
  if (loading) pendingEvents.push(() => removeImage(id));
  const row = findRow(id);
  if (row) row.remove();
}

async function loadPage(after) {
  const mine = ++requested;
  const query = new URLSearchParams({limit: PAGE});
  if (filter.value === 'review') query.set('review', 1);
  else if (filter.value) query.set(VERDICTS.includes(filter.value) ? 'verdict' : 'status', filter.value);
  if (after) query.set('after', after);
  loading++;
  const page = await fetch(`v1/images?${query}`).then((answer) => (answer.ok ? answer.json() : null), () => null);
  loading--;
  if (!page || mine !== requested) return;
  rows.replaceChildren(...page.images.map(rowOf));
  next = page.next;
  onNewest = !after;
  older.disabled = !next;
  newest.disabled = onNewest;
  const later = pendingEvents;
  pendingEvents = [];
  for (const apply of later) apply();
  showEmpty();
}

async function updateCounts() {
  const answer = await fetch('v1/stats');
  if (!answer.ok) return;
  const s = await answer.json();
  document.getElementById('counts').textContent =
    `${s.processed - s.unknown - s.no_face} known · ${s.unknown} unknown · ${s.no_face} without a face · ` +
    `${s.pending} pending · ${s.processing} processing · ${s.failed} failed · ` +
    `${s.review} to check · ${s.workers_ready} of ${s.workers} workers`;
  showBreaker(s.breaker.state);
}

// The nodes of the cluster; hidden when there is no cluster. Polled while the page is open.
function nodeRow(node) {
  const row = document.createElement('tr');
  const waiting = node.actors.reduce((sum, actor) => sum + actor.mailbox, 0);
  row.append(text('td', node.name + (node.self ? ' (this node)' : ''), 'known'), text('td', node.roles),
    text('td', node.version), text('td', node.api, 'path'), text('td', `${node.workers_ready} of ${node.workers}`),
    text('td', node.leaving ? 'leaving' : node.breaker, node.breaker === 'closed' ? 'processed' : 'failed'),
    text('td', waiting, 'number'));
  return row;
}

async function showNodes() {
  const seen = await fetch('v1/nodes').then((answer) => (answer.ok ? answer.json() : null), () => null);
  const cluster = document.getElementById('cluster');
  if (seen) {
    cluster.hidden = seen.nodes.length < 2 && seen.bus === 'none';
    document.getElementById('nodes-summary').textContent =
      `${seen.nodes.length} ${seen.nodes.length === 1 ? 'node' : 'nodes'} · bus ${seen.bus}`;
    document.getElementById('nodes').replaceChildren(...seen.nodes.map(nodeRow));
  }
  setTimeout(showNodes, cluster.hidden && seen ? 15000 : 2000);
}

function showBreaker(state) {
  const badge = document.getElementById('breaker');
  badge.textContent = state === 'closed' ? '' : `recogniser: breaker ${state}`;
  badge.className = 'badge failed';
}

// Counts follow the events, at most twice a second.
let counting = false;
function updateCountsSoon() {
  if (counting) return;
  counting = true;
  setTimeout(() => { counting = false; updateCounts(); }, 500);
}

// The browser reconnects with Last-Event-ID. When it gives up, a new EventSource is opened.
function subscribe() {
  const live = document.getElementById('live');
  const source = new EventSource('v1/events');
  source.onopen = () => { live.textContent = 'live'; };
  source.onerror = () => {
    live.textContent = 'reconnecting';
    if (source.readyState !== EventSource.CLOSED) return;
    fetch('v1/session').then((answer) => answer.json()).then((session) => {
      if (!session.roles.includes('read')) location.reload(); // the key was revoked
    }, () => null);
    loadPage(null); // without events, at least the current state
    updateCounts();
    setTimeout(subscribe, 2000);
  };
  source.addEventListener('image', (e) => { applyImage(JSON.parse(e.data)); updateCountsSoon(); });
  source.addEventListener('deleted', (e) => { removeImage(JSON.parse(e.data).id); updateCountsSoon(); });
  // From hello on every change comes as an event: a page that was read before could miss changes.
  source.addEventListener('hello', () => { loadPage(null); updateCounts(); });
  source.addEventListener('reset', () => { loadPage(null); updateCountsSoon(); });
  source.addEventListener('breaker', (e) => showBreaker(JSON.parse(e.data).state));
}

filter.onchange = () => loadPage(null);
older.onclick = () => loadPage(next);
newest.onclick = () => loadPage(null);
document.getElementById('retry').onclick = async () => {
  const answer = await fetch('v1/images/retry?status=failed&now=true', {method: 'POST'});
  const body = await answer.json();
  document.getElementById('note').textContent =
    answer.ok ? `${body.retried} queued again` : body.detail;
};

// Shows the login form when an API key is needed. The key is kept in an HttpOnly cookie.
async function openSession() {
  const session = await fetch('v1/session').then((answer) => (answer.ok ? answer.json() : null), () => null);
  if (!session) {
    setTimeout(openSession, 2000);
    return;
  }
  const permitted = session.roles.includes('read');
  document.getElementById('login').hidden = permitted;
  document.getElementById('content').hidden = !permitted;
  document.getElementById('live').hidden = !permitted;
  isAdmin = session.roles.includes('admin');
  document.getElementById('retry').hidden = !isAdmin;
  document.getElementById('logout').hidden = session.auth !== 'keys';
  if (!permitted) {
    if (session.name) document.getElementById('login-error').textContent = `The key “${session.name}” lacks the role read.`;
    document.getElementById('key').focus();
    return;
  }
  subscribe();
  showNodes();
}

document.getElementById('login').onsubmit = async (event) => {
  event.preventDefault();
  const answer = await fetch('v1/session', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({key: document.getElementById('key').value.trim()}),
  });
  document.getElementById('key').value = '';
  if (answer.ok) openSession();
  else document.getElementById('login-error').textContent = (await answer.json()).detail;
};
document.getElementById('logout').onclick = async () => {
  await fetch('v1/session', {method: 'DELETE'});
  location.reload();
};

openSession();
