// The README's picture of the results page: the demonstration's real answers, with drawn heads for the photos, since no
// photo of a person is committed. Start deploy/run.sh first, then: node test/browser/screenshot.js [ADDRESS] [FILE]
'use strict';
const path = require('path');
const root = path.resolve(__dirname, '../..');
const {chromium} = require(path.join(root, 'build/node/node_modules/playwright-core'));

const address = process.argv[2] || 'http://127.0.0.1:8081/';
const file = process.argv[3] || path.join(root, 'web/page.png');

function head(id) {
  const hue = id * 67 % 360;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="128" height="96">
    <rect width="128" height="96" fill="hsl(${hue} 30% 82%)"/>
    <circle cx="64" cy="42" r="22" fill="hsl(${hue} 25% 45%)"/><ellipse cx="64" cy="98" rx="42" ry="34" fill="hsl(${hue} 25% 35%)"/></svg>`;
}

async function main() {
  const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--no-proxy-server']});
  const page = await browser.newPage({viewport: {width: 1100, height: 560}});
  await page.route('**/crop?width=*', (route) => route.fulfill({
    contentType: 'image/svg+xml', body: head(Number(route.request().url().match(/images\/(\d+)/)[1]))}));
  await page.goto(address);
  await page.waitForSelector('#rows tr');
  await page.waitForSelector('#counts:not(:empty)');
  await page.waitForLoadState('networkidle', {timeout: 2000}).catch(() => {}); // the event stream never ends
  await page.screenshot({path: file});
  await browser.close();
}

main().catch((e) => { process.stderr.write(`${e}\n`); process.exit(1); });
