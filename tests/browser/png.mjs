// Pictures for the tests, rendered here: a horizon, a sun or moon, and one shape per kind of animal, as PNG.
import { crc32, deflateSync } from 'node:zlib';

const crc = crc32 ?? ((bytes) => {
	let c = ~0;
	for (const byte of bytes) {
		c ^= byte;
		for (let k = 0; k < 8; k++)
			c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
	}
	return ~c >>> 0;
});

function chunk(type, data) {
	const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
	const out = Buffer.alloc(body.length + 8);
	out.writeUInt32BE(data.length, 0);
	body.copy(out, 4);
	out.writeUInt32BE(crc(body), body.length + 4);
	return out;
}

/** A scene; `seed` moves and colours it. */
export function scene(seed, width, height) {
	const rows = Buffer.alloc(height * (1 + 3 * width));
	const x0 = width * (0.2 + ((seed * 37) % 60) / 100), y0 = height * 0.62, size = width * 0.12;
	const animal = [90 + (seed * 53) % 80, 60, 40 + (seed * 29) % 60];
	for (let y = 0; y < height; y++) {
		const behind = y > height * 0.5 ? [150 - y / 8, 120 - y / 9, 60] : [190, 190 + y / 10, 200 + y / 12];
		for (let x = 0; x < width; x++) {
			const at = y * (1 + 3 * width) + 1 + 3 * x;
			const dx = (x - x0) / size, dy = (y - y0) / (size * 0.6);
			const isAnimal = dx * dx + dy * dy < 1 || (Math.abs(Math.abs(dx) - 0.7) < 0.12 && dy > 0 && dy < 2);
			const rgb = isAnimal ? animal : behind;
			const noise = ((x * 7919 + y * 104729 + seed * 31) % 13) - 6;
			for (let c = 0; c < 3; c++)
				rows[at + c] = Math.max(0, Math.min(255, rgb[c] + noise));
		}
	}
	const head = Buffer.alloc(13);
	head.writeUInt32BE(width, 0);
	head.writeUInt32BE(height, 4);
	head.set([8, 2, 0, 0, 0], 8);
	return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head),
		chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))]);
}
