/*
 * The plot of a simulation: what a subject cost against how often an animal was named right, a point a
 * policy, a line a family. Both axes are logarithmic, the upright one in the error: between 98 and 99 %
 * lies as much work as between 80 and 90. Colours hold on light and on dark.
 */
#include "simulate.h"

#include <math.h>
#include <stddef.h>

enum {
	WIDTH = 760,
	HEIGHT = 500,
	LEFT = 70,
	RIGHT = 20,
	TOP = 50,
	BOTTOM = 120, /* the legend too */
	TAG_PX = 7,   /* width of a digit of a tag */
	LINE_PX = 14,
	LEGEND_COLUMNS = 3,
	MARK_PX = 5,
};

static const struct look {
	const char *colour;
	const char *unit; /* what the tags of its points count */
	const char *mark; /* a path around (0, 0), MARK_PX wide each way */
} looks[N_SIMULATE_FAMILIES] = {
	[FAMILY_PLURALITY] = {"#8b93a0", " (of so many)", "M-4-4h8v8h-8z"},
	[FAMILY_SERENGETI] = {"#b98222", "", "M0-5L5 4H-5z"},
	[FAMILY_MODEL_SERENGETI] = {"#c8577e", "", "M0 5L5-4H-5z"},
	[FAMILY_MODEL_ONE] = {"#8a70d6", "", "M0-5.5L5.5 0L0 5.5L-5.5 0z"},
	[FAMILY_OURS] = {"#1e9e6a", " (at tau)", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z"},
	[FAMILY_OURS_CROWD] = {"#3588cf", " (at tau)",
		"M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zM-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z"},
};

static const double answer_ticks[] = {.1, .2, .5, 1, 2, 5, 10, 20};
static const double error_ticks[] = {.001, .002, .005, .01, .02, .05, .1, .2, .5};
static const double least_error = 1e-4;
enum {
	N_ANSWER_TICKS = sizeof answer_ticks / sizeof *answer_ticks,
	N_ERROR_TICKS = sizeof error_ticks / sizeof *error_ticks
};

static const double margin = 1.25; /* room beyond the outermost points */

struct axis {
	double low, high;
};

static double along(struct axis axis, double value)
{
	return log(value / axis.low) / log(axis.high / axis.low);
}

struct box {
	double x, y, w, h;
};

struct plot {
	FILE *out;
	struct axis answers, error;
	struct box taken[2 * SIMULATE_MAX_ROWS]; /* by points, then by tags too */
	int n_taken;
};

static double error_of(const struct simulate_row *row)
{
	return fmax(1 - row->accuracy_animals, least_error);
}

static double at_x(const struct plot *p, double answers)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * along(p->answers, answers);
}

static double at_y(const struct plot *p, double error)
{
	return TOP + (HEIGHT - TOP - BOTTOM) * along(p->error, error);
}

static bool is_free(const struct plot *p, struct box b)
{
	if (b.x < LEFT || b.x + b.w > WIDTH || b.y < TOP || b.y + b.h > HEIGHT - BOTTOM)
		return false;
	for (int i = 0; i < p->n_taken; i++) {
		const struct box *t = &p->taken[i];
		if (b.x < t->x + t->w && t->x < b.x + b.w && b.y < t->y + t->h && t->y < b.y + b.h)
			return false;
	}
	return true;
}

/* A tag goes where nothing is yet: above its point, below, right or left of it, else above. */
static void tag(struct plot *p, double x, double y, const char *text)
{
	int n = 0;
	while (text[n])
		n++;
	const double w = n * TAG_PX;
	const struct box places[] = {
		{x - w / 2, y - MARK_PX - LINE_PX, w, LINE_PX},
		{x - w / 2, y + MARK_PX + 1, w, LINE_PX},
		{x + MARK_PX + 3, y - LINE_PX / 2.0, w, LINE_PX},
		{x - MARK_PX - 3 - w, y - LINE_PX / 2.0, w, LINE_PX},
	};
	struct box place = places[0];
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (is_free(p, places[i])) {
			place = places[i];
			break;
		}
	p->taken[p->n_taken++] = place;
	fprintf(p->out, "<text class=\"tag\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", place.x + w / 2,
		place.y + LINE_PX - 3, text);
}

static void draw_axes(const struct plot *p)
{
	for (int i = 0; i < N_ANSWER_TICKS; i++) {
		const double x = at_x(p, answer_ticks[i]);
		if (answer_ticks[i] < p->answers.low || answer_ticks[i] > p->answers.high)
			continue;
		fprintf(p->out,
			"<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"tag\" x=\"%.1f\" "
			"y=\"%d\">%g</text>\n",
			x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 17, answer_ticks[i]);
	}
	for (int i = 0; i < N_ERROR_TICKS; i++) {
		const double y = at_y(p, error_ticks[i]);
		if (error_ticks[i] < p->error.low || error_ticks[i] > p->error.high)
			continue;
		fprintf(p->out,
			"<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"side\" x=\"%d\" "
			"y=\"%.1f\">%g %%</text>\n",
			LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, 100 * (1 - error_ticks[i]));
	}
	fprintf(p->out,
		"<text class=\"axis\" x=\"%d\" y=\"%d\">answers a subject, gold and audits counted</text>\n"
		"<text class=\"axis start\" x=\"10\" y=\"%d\">animals named right</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, TOP - 14);
}

static void draw_lines(const struct plot *p, const struct simulate_report *report)
{
	for (int f = 0; f < N_SIMULATE_FAMILIES; f++) {
		int n = 0;
		for (int i = 0; i < report->n_rows; i++) {
			const struct simulate_row *row = &report->rows[i];
			if ((int)row->family != f)
				continue;
			fprintf(p->out, "%s%.1f %.1f", n++ ? "L" : "<path class=\"line\" d=\"M",
				at_x(p, row->answers), at_y(p, error_of(row)));
		}
		if (n)
			fprintf(p->out, "\" stroke=\"%s\"/>\n", looks[f].colour);
	}
}

static void draw_points(struct plot *p, const struct simulate_report *report)
{
	for (int i = 0; i < report->n_rows; i++) {
		const struct simulate_row *row = &report->rows[i];
		const double x = at_x(p, row->answers), y = at_y(p, error_of(row));
		p->taken[p->n_taken++] = (struct box){x - MARK_PX, y - MARK_PX, 2 * MARK_PX, 2 * MARK_PX};
		fprintf(p->out,
			"<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"%s\" "
			"fill-rule=\"evenodd\"><title>%s %s: %.3f answers, %.4f</title></path>\n",
			x, y, looks[row->family].mark, looks[row->family].colour, row->name, row->setting,
			row->answers, row->accuracy_animals);
	}
	for (int i = 0; i < report->n_rows; i++) {
		const struct simulate_row *row = &report->rows[i];
		if (row->setting[0])
			tag(p, at_x(p, row->answers), at_y(p, error_of(row)), row->setting);
	}
}

static void draw_legend(const struct plot *p)
{
	for (int f = 0; f < N_SIMULATE_FAMILIES; f++) {
		const int x = LEFT + (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS * (f % LEGEND_COLUMNS);
		const int y = HEIGHT - 52 + 24 * (f / LEGEND_COLUMNS);
		fprintf(p->out,
			"<path transform=\"translate(%d %d)\" d=\"%s\" fill=\"%s\" fill-rule=\"evenodd\"/>"
			"<text class=\"start\" x=\"%d\" y=\"%d\">%s%s</text>\n",
			x, y, looks[f].mark, looks[f].colour, x + 12, y + 4,
			simulate_family_name((enum simulate_family)f), looks[f].unit);
	}
}

void simulate_plot(const struct simulate_report *report, FILE *out)
{
	double low_x = INFINITY, high_x = 0, low_e = 1, high_e = 0;
	for (int i = 0; i < report->n_rows; i++) {
		low_x = fmin(low_x, report->rows[i].answers);
		high_x = fmax(high_x, report->rows[i].answers);
		low_e = fmin(low_e, error_of(&report->rows[i]));
		high_e = fmax(high_e, error_of(&report->rows[i]));
	}
	struct plot p = {
		.out = out,
		.answers = {low_x / margin, high_x * margin},
		.error = {low_e / margin, high_e * margin},
	};
	const struct simulate_options *o = &report->options;
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\">\n"
		"<title>Answers a subject against accuracy on animals</title>\n"
		"<style>\n"
		"svg{font:13px system-ui,sans-serif;--ink:#23272e;--paper:#fff;--grid:#dfe3e8}\n"
		"@media(prefers-color-scheme:dark){svg{--ink:#d7dce3;--paper:#15181c;--grid:#31373f}}\n"
		"text{fill:var(--ink);text-anchor:middle}.start{text-anchor:start}"
		".side{text-anchor:end}.tag,.side{font-size:12px}"
		".tag{paint-order:stroke;stroke:var(--paper);stroke-width:3px}\n"
		".grid{stroke:var(--grid)}.line{fill:none;stroke-width:1.5;opacity:.7}\n"
		"</style>\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"var(--paper)\"/>\n"
		"<text class=\"start\" x=\"10\" y=\"20\">%d simulated subjects, seed %llu%s%s%s</text>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, o->n_subjects, (unsigned long long)o->seed,
		o->new_site ? ", new site" : "", o->clickers ? ", random clickers" : "",
		o->bot ? ", a bot" : "");
	draw_axes(&p);
	draw_lines(&p, report);
	draw_points(&p, report);
	draw_legend(&p);
	fputs("</svg>\n", out);
}
