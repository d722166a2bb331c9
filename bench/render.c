// SPDX-License-Identifier: MIT
/* The report as Markdown: tables of the rows that are in it, and nothing else. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX    160
#define COLUMNS_MAX 16

enum form {
	TEXT,
	COUNT,   /* 1 234 567 */
	SECONDS, /* three digits that count */
	TIMES,   /* 1.23 x */
	ONE,     /* a digit behind the point */
	MILLION, /* in millions, two digits */
	MB,
};

struct column {
	const char *head;
	const char *key; /* "no_reduction.states" is one object deeper */
	enum form form;
};

static const json_t *look_up(const json_t *row, const char *key)
{
	const char *dot = strchr(key, '.');
	char first[60];

	if (!dot)
		return json_object_get(row, key);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - key), key);
	return look_up(json_object_get(row, first), dot + 1);
}

static void grouped(char *cell, unsigned long long n)
{
	char digits[32];
	size_t len, used = 0;

	snprintf(digits, sizeof(digits), "%llu", n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			cell[used++] = ' ';
		cell[used++] = digits[i];
	}
	cell[used] = '\0';
}

static void short_seconds(char *cell, double v)
{
	int digits = v >= 100 ? 0 : v >= 10 ? 1 : v >= 1 ? 2 : v >= 0.1 ? 3 : 4;

	snprintf(cell, CELL_MAX, "%.*f", digits, v);
}

static void fill(char *cell, const json_t *v, enum form form)
{
	double n = json_number_value(v);

	if (!v || json_is_null(v))
		snprintf(cell, CELL_MAX, "%s", form == TEXT ? "" : "-");
	else if (form == TEXT || json_is_string(v))
		snprintf(cell, CELL_MAX, "%s", json_is_string(v) ? json_string_value(v) : "?");
	else if (form == COUNT)
		grouped(cell, (unsigned long long)n);
	else if (form == SECONDS)
		short_seconds(cell, n);
	else if (form == TIMES)
		snprintf(cell, CELL_MAX, "%.2f", n);
	else if (form == MILLION)
		snprintf(cell, CELL_MAX, "%.2f", n / 1e6);
	else
		snprintf(cell, CELL_MAX, "%.1f", form == MB ? n / 1e6 : n);
}

static bool to_the_left(const struct column *c)
{
	return c->form == TEXT;
}

static void print_row(FILE *f, const struct column *c, size_t n, char (*cell)[CELL_MAX],
		      const size_t *width)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, to_the_left(&c[i]) ? "| %-*s " : "| %*s ", (int)width[i], cell[i]);
	fputs("|\n", f);
}

/* As Markdown, and in columns for those who read it as it is. */
static void table(FILE *f, const json_t *rows, const struct column *c, size_t n)
{
	size_t count = json_array_size(rows), width[COLUMNS_MAX];
	char(*cell)[CELL_MAX] = calloc((count + 1) * n, sizeof(*cell));

	for (size_t r = 0; cell && r <= count; r++)
		for (size_t i = 0; i < n; i++) {
			char *at = cell[r * n + i];

			if (r)
				fill(at, look_up(json_array_get(rows, r - 1), c[i].key), c[i].form);
			else
				snprintf(at, CELL_MAX, "%s", c[i].head);
			if (!r || strlen(at) > width[i])
				width[i] = strlen(at);
		}
	for (size_t r = 0; cell && r <= count; r++) {
		print_row(f, c, n, &cell[r * n], width);
		for (size_t i = 0; !r && i < n; i++) {
			fputc('|', f);
			for (size_t k = 0; k < width[i] + 1; k++)
				fputc('-', f);
			fputc(to_the_left(&c[i]) ? '-' : ':', f);
		}
		if (!r)
			fputs("|\n", f);
	}
	fputc('\n', f);
	free(cell);
}

#define TABLE(f, rows, ...)                                        \
	table((f), (rows), (const struct column[]){ __VA_ARGS__ }, \
	      sizeof((const struct column[]){ __VA_ARGS__ }) / sizeof(struct column))

static void paragraph(FILE *f, const char *text)
{
	fprintf(f, "%s\n\n", text);
}

static void headline(FILE *f, const char *title, const char *text)
{
	fprintf(f, "### %s\n\n", title);
	paragraph(f, text);
}

static void model_table(FILE *f, const json_t *rows)
{
	TABLE(f, rows, { "model", "model", TEXT }, { "tool", "tool", TEXT },
	      { "variant", "variant", TEXT }, { "verdict", "verdict", TEXT },
	      { "states", "states", COUNT }, { "transitions", "transitions", COUNT },
	      { "seconds", "seconds", SECONDS }, { "p90", "seconds_p90", SECONDS },
	      { "of which search", "search_seconds", SECONDS },
	      { "bytes/state", "bytes_per_state", ONE }, { "x seamlab", "ratio", TIMES },
	      { "x nothing merged", "ratio_same_states", TIMES },
	      { "built in", "build_seconds", ONE }, { "note", "note", TEXT });
}

/* The explorer merges nothing here. */
static void liveness_table(FILE *f, const json_t *rows)
{
	TABLE(f, rows, { "model", "model", TEXT }, { "tool", "tool", TEXT },
	      { "variant", "variant", TEXT }, { "verdict", "verdict", TEXT },
	      { "states", "states", COUNT }, { "transitions", "transitions", COUNT },
	      { "seconds", "seconds", SECONDS }, { "p90", "seconds_p90", SECONDS },
	      { "bytes/state", "bytes_per_state", ONE }, { "x seamlab", "ratio", TIMES },
	      { "note", "note", TEXT });
}

static void exploration(FILE *f, const json_t *s)
{
	headline(
		f, "To the end",
		"Processes from their start to their end, compiled before with -O3; memory is the most "
		"that was resident. *x seamlab*: seconds against the explorer as it comes; *x nothing "
		"merged*: against the explorer without reduction and symmetry, which has the states of "
		"spin -DNOREDUCE and rumur.");
	model_table(f, json_object_get(s, "exhaust"));
	headline(
		f, "To the first violation",
		"The explorer goes on to the shortest counterexample; *of which search* is the time to "
		"the first.");
	model_table(f, json_object_get(s, "first_violation"));
	headline(
		f, "Liveness",
		"Everybody finishes, under weak fairness; the explorer with --all-finish on C code, spin "
		"with -a -f.");
	liveness_table(f, json_object_get(s, "liveness"));
	headline(f, "To the first livelock", "The same, and a host that asks too late.");
	liveness_table(f, json_object_get(s, "first_livelock"));
	headline(
		f, "With and without reduction",
		"Module, host and guests. Where --no-reduction did not end within the limit, its states are "
		"those that it had found by then, and the factor is a lower bound.");
	TABLE(f, json_object_get(s, "worlds"), { "scenario", "model", TEXT },
	      { "variant", "variant", TEXT }, { "verdict", "verdict", TEXT },
	      { "arena, bytes", "arena_bytes", COUNT }, { "states", "states", COUNT },
	      { "seconds", "seconds", SECONDS },
	      { "M transitions/s", "transitions_per_second", MILLION },
	      { "bytes/state", "bytes_per_state", ONE },
	      { "no reduction", "no_reduction.verdict", TEXT },
	      { "its states", "no_reduction.states", COUNT },
	      { "its seconds", "no_reduction.seconds", SECONDS },
	      { "its M transitions/s", "no_reduction.transitions_per_second", MILLION },
	      { "times fewer states", "times_fewer_states", ONE },
	      { "x time", "no_reduction.ratio", TIMES });
}

static void locks(FILE *f, const json_t *s)
{
	headline(f, "Uncontended", "One thread; nanoseconds for an acquire and its release.");
	TABLE(f, json_object_get(s, "uncontended"), { "pair", "text", TEXT }, { "ns", "ns", TIMES },
	      { "p90", "ns_p90", TIMES }, { "x CAS + seq_cst store", "ratio_cas_store", TIMES },
	      { "x CAS + release store", "ratio_cas_release_store", TIMES },
	      { "note", "note", TEXT });
	headline(f, "Contended",
		 "Threads that try and release one word as fast as they can; all "
		 "pairs that were granted, of all threads.");
	TABLE(f, json_object_get(s, "contended"), { "pair", "text", TEXT },
	      { "threads", "threads", COUNT }, { "M pairs/s", "pairs_per_second", MILLION },
	      { "granted %", "granted_percent", ONE }, { "x CAS + seq_cst store", "ratio", TIMES },
	      { "note", "note", TEXT });
	headline(
		f, "A host's wait",
		"One host tries until it has the word exclusively, while guests share and release it "
		"without a break; microseconds from its first try. *given up*: waits that took longer "
		"than the limit, after which the word was made new.");
	TABLE(f, json_object_get(s, "wait"), { "word", "text", TEXT },
	      { "guests", "guests", COUNT }, { "waits", "waits", COUNT },
	      { "p50", "p50_us", TIMES }, { "p99.9", "p999_us", TIMES }, { "max", "max_us", ONE },
	      { "tries p50", "tries_p50", ONE }, { "tries max", "tries_max", COUNT },
	      { "given up", "given_up", COUNT }, { "misused", "misused", COUNT },
	      { "note", "note", TEXT });
}

static void module(FILE *f, const json_t *s)
{
	headline(
		f, "Leaves",
		"One core, contents off, nobody else there; medians over lives of a TD. *its locks*: the "
		"lock operations of the leaf's plan alone, on the same words; *with work*: those with the "
		"work that the leaf is there for done while they are held, save what stands in brackets.");
	TABLE(f, json_object_get(s, "leaves"), { "leaf", "leaf", TEXT },
	      { "flavour", "flavour", TEXT }, { "in a row", "in_a_row", COUNT },
	      { "ns", "ns", ONE }, { "M calls/s", "calls_per_second", MILLION },
	      { "its locks, ns", "locks_ns", ONE }, { "x its locks", "ratio", TIMES },
	      { "with work, ns", "locks_and_work_ns", ONE }, { "x those", "ratio_work", TIMES },
	      { "work [not timed]", "work", TEXT });
	headline(
		f, "AUG and ACCEPT",
		"4 KB pages of one TD. *module*: TDH.MEM.PAGE.AUG and TDG.MEM.PAGE.ACCEPT page by page, "
		"each core with a vCPU and pages of its own; BUSY is tried again. *host*: the guest's "
		"ACCEPT faults and the host maps. *x 1 core* is against the same row with one.");
	TABLE(f, json_object_get(s, "pages"), { "what", "what", TEXT },
	      { "flavour", "flavour", TEXT }, { "cores", "cores", COUNT },
	      { "M pages/s", "pages_per_second", MILLION }, { "x 1 core", "ratio", TIMES },
	      { "BUSY per 1000 pages", "busy_per_1000", TIMES });
	headline(
		f, "Any calls",
		"Random SEAMCALLs and TDCALLs on four LPs, a thread each, hardened, all oracles on.");
	TABLE(f, json_object_get(s, "hostile"), { "LPs", "lps", COUNT },
	      { "M calls/s", "calls_per_second", MILLION });
}

static void growth(FILE *f, const json_t *s)
{
	paragraph(
		f,
		"A guest accepts all of its memory, each fault handled by the host; published, contents "
		"off. Memory is what became resident, the host's and the module's.");
	TABLE(f, json_object_get(s, "sizes"), { "MB of the TD", "megabytes", COUNT },
	      { "pages", "pages", COUNT }, { "seconds", "seconds", SECONDS },
	      { "M pages/s", "pages_per_second", MILLION }, { "MB resident", "bytes", MB },
	      { "bytes/page", "bytes_per_page", ONE },
	      { "x ns/page of the first", "ratio", TIMES });
}

static const struct {
	const char *name, *title;
	void (*render)(FILE *f, const json_t *section);
} sections[] = {
	{ "exploration", "Exploration", exploration },
	{ "locks", "Lock words", locks },
	{ "module", "Module", module },
	{ "growth", "Growth of a TD", growth },
};

static void machine(FILE *f, const json_t *report)
{
	static const char *const keys[] = { "cpu",  "cpus",    "memory",     "kernel",
					    "load", "seamlab", "built_with", "cc",
					    "spin", "rumur",   "libck" };
	const json_t *m = json_object_get(report, "machine");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *v = json_object_get(m, keys[i]);
		char cell[CELL_MAX];

		if (!v)
			continue;
		fill(cell, v, COUNT);
		fprintf(f, "* %s: %s\n", keys[i], cell);
	}
	fprintf(f, "* rounds: %lld, medians over them; programs and variants in turn\n\n",
		(long long)json_integer_value(json_object_get(report, "rounds")));
}

bool bench_render(FILE *f, const json_t *report)
{
	const json_t *all = json_object_get(report, "sections");

	if (json_integer_value(json_object_get(report, "schema")) != 1 || !json_is_object(all))
		return false;
	fputs("# Results\n\nWritten by `seamlab bench`; nothing here is typed by hand.\n\n", f);
	if (json_is_true(json_object_get(report, "quick")))
		fputs("**A quick run: a tiny set, once. These are no figures.**\n\n", f);
	machine(f, report);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		const json_t *s = json_object_get(all, sections[i].name);
		const char *error = json_string_value(json_object_get(s, "error"));

		if (!s)
			continue;
		fprintf(f, "## %s\n\n", sections[i].title);
		if (error)
			fprintf(f, "Not measured: %s.\n\n", error);
		else
			sections[i].render(f, s);
	}
	return true;
}
