/** Small line drawings for buttons; the words are the button's label. */

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
	difference: 'M4 4h11v11H4zM9 9h11v11H9z',
	flag: 'M6 21V4q6-3 12 0v9q-6-3-12 0',
	full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
	in: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21M7.5 10.5h6M10.5 7.5v6',
	learn: 'M12 7q-4-3-9-2v13q5-1 9 2 4-3 9-2V5q-5-1-9 2v13',
	light: 'M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
	list: 'M4 6h3M10 6h10M4 12h3M10 12h10M4 18h3M10 18h10',
	more: 'M5 12h.01M12 12h.01M19 12h.01',
	out: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21M7.5 10.5h6',
	reset: 'M4 5v5h5M4.6 10A8 8 0 1 1 4 13',
	sheet: 'M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z',
	talk: 'M4 5h16v11h-9l-5 4v-4H4z',
	undo: 'M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-4',
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
	const svg = document.createElementNS(SVG, 'svg');
	svg.setAttribute('class', 'icon');
	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('aria-hidden', 'true');
	const path = document.createElementNS(SVG, 'path');
	path.setAttribute('d', PATHS[name]);
	svg.append(path);
	return svg;
}
