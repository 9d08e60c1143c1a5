// Pictures of real size: what moved in a burst, and how soon the next one is on screen. The figures are printed.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { onScreen, sent, visits } from './support.mjs';

describe('pictures of real size', { timeout: 240_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open(what) {
		mock = await serve(what);
		page = await visit();
		await hidden();
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}

	/** Bursts of a noisy scene, each picture of another brightness, in which something is 7 % darker than what is behind it. */
	const hidden = async () => {
		const jpegs = await page.evaluate(async () => {
			const files = [];
			for (let k = 0; k < 4; k++) {
				const canvas = new OffscreenCanvas(1280, 960);
				const drawing = canvas.getContext('2d');
				const image = drawing.createImageData(1280, 960);
				const gain = [1, 1.08, 0.92, 1.04][k];
				let seed = 12345 + k;
				for (let y = 0; y < 960; y++)
					for (let x = 0; x < 1280; x++) {
						seed = (seed * 1103515245 + 12345) & 0x7fffffff;
						const texture = 90 + 40 * Math.sin(x / 23) * Math.sin(y / 17) + 25 * Math.sin((x + 2 * y) / 91);
						const isAnimal = Math.abs(x - 200 - 280 * k) < 90 && Math.abs(y - 600) < 60;
						const value = gain * texture * (isAnimal ? 0.86 : 1) + (seed >> 16) % 9 - 4;
						image.data.set([value, value, value, 255], 4 * (y * 1280 + x));
					}
				drawing.putImageData(image, 0, 0);
				const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 })).arrayBuffer());
				files.push(btoa([...bytes].map((byte) => String.fromCharCode(byte)).join('')));
			}
			return files;
		});
		const files = jpegs.map((base64) => Buffer.from(base64, 'base64'));
		mock.picture = async (id) => files[(id - 1000) % 10 % files.length];
	};

	it('shows what moved in a burst, and offers that for no single picture', async () => {
		await open({ n_subjects: 2, n_frames: 4 });
		await page.evaluate(() => {
			globalThis.blocked_ms = [];
			new PerformanceObserver((seen) => globalThis.blocked_ms.push(...seen.getEntries().map((entry) => entry.duration)))
				.observe({ entryTypes: ['longtask'] });
		});
		await page.keyboard.press(';');
		await page.waitForSelector('.picture canvas.difference:not([hidden])');
		const blocked_ms = await page.evaluate(() => globalThis.blocked_ms);
		const result = await page.evaluate(async () => {
			const { lumaOf, medianOf, differenceOf } = await import('/static/difference.js');
			const pictures = [];
			for (let k = 0; k < 4; k++) {
				const bitmap = await createImageBitmap(await (await fetch(`/media/${1000 + k}/1280.jpg`)).blob());
				const drawing = new OffscreenCanvas(640, 480).getContext('2d', { willReadFrequently: true });
				drawing.drawImage(bitmap, 0, 0, 640, 480);
				pictures.push(lumaOf(new Uint8Array(drawing.getImageData(0, 0, 640, 480).data.buffer)));
			}
			const scene = await medianOf(pictures);
			const medians = [];
			const took_ms = [];
			for (let k = 0; k < 4; k++) {
				const start = performance.now();
				const difference = await differenceOf(pictures[k], scene, 640);
				took_ms.push(performance.now() - start);
				const inside = [], outside = [];
				for (let y = 0; y < 480; y++)
					for (let x = 0; x < 640; x++) {
						const dx = Math.abs(2 * x - 200 - 280 * k), dy = Math.abs(2 * y - 600);
						if (dx < 84 && dy < 54)
							inside.push(difference[640 * y + x]);
						else if (dx > 96 || dy > 66)
							outside.push(difference[640 * y + x]);
					}
				medians.push([inside, outside].map((values) => values.sort((a, b) => a - b)[values.length >> 1]));
			}
			return { medians, took_ms };
		});
		console.log(`# difference of a frame at 640 x 480: ${result.took_ms.map((ms) => ms.toFixed(1)).join(', ')} ms; ` +
			`the page stood still longer than 50 ms: ${blocked_ms.length} times (${blocked_ms.join(', ')}); ` +
			`median inside and outside of what moved: ${result.medians.map((pair) => pair.join(' : ')).join(', ')}`);
		for (const [inside, outside] of result.medians)
			assert.ok(inside > 30 && outside < 10, `${inside} inside, ${outside} outside`);
		const drawn = () => page.$eval('canvas.difference', (canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-400));
		const one = await drawn();
		await page.keyboard.press('ArrowRight');
		await page.waitForFunction((before) => {
			const canvas = document.querySelector('.picture canvas.difference');
			return canvas && canvas.toDataURL().length + canvas.toDataURL().slice(-400) !== before;
		}, one);
		await page.keyboard.press('*');
		assert.ok(await page.isHidden('canvas.difference') || await page.locator('.picture canvas').count() === 0);
		const shown = await page.getAttribute('.work', 'data-subject');
		await page.keyboard.press('z');
		await onScreen(page, shown);
		assert.ok(await page.isHidden('.tool[data-tool=difference]'), 'one picture differs from nothing');
		await page.keyboard.press(';');
		assert.equal(await page.locator('.picture canvas:not([hidden])').count(), 0);
	});

	it('has the next picture on screen soon after an answer, with pictures of real size', async () => {
		await open({ n_subjects: 24, n_frames: 3 });
		await page.evaluate(() => {
			globalThis.took_ms = [];
			let start = 0;
			addEventListener('keydown', (event) => {
				start = event.timeStamp;
			}, true);
			new MutationObserver(() => {
				if (document.querySelector('.picture img') && start) {
					const begun = start;
					start = 0;
					requestAnimationFrame(() => setTimeout(() => globalThis.took_ms.push(performance.now() - begun)));
				}
			}).observe(document.querySelector('.picture'), { childList: true });
		});
		let shown = await page.getAttribute('.work', 'data-subject');
		for (let i = 0; i < 20; i++) {
			await page.waitForTimeout(350); // nobody answers faster than that
			await page.keyboard.press('z');
			shown = await onScreen(page, shown);
		}
		await page.waitForFunction(() => globalThis.took_ms.length >= 20);
		const sorted = (await page.evaluate(() => globalThis.took_ms)).sort((a, b) => a - b);
		console.log(`# from the key to the next picture on screen, 20 answers, 1280 px JPEG: median ${sorted[10].toFixed(0)} ms, ` +
			`p95 ${sorted[18].toFixed(0)} ms, worst ${sorted[19].toFixed(0)} ms`);
		await sent(page, mock, 20);
	});
});
