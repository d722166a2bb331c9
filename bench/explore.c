// SPDX-License-Identifier: MIT
/*
 * The section "exploration": models/models.json under the explorer, spin and rumur.
 *
 * The models are twins: where the explorer merges nothing, all three have the same states. Every program
 * is a process of its own that is timed from its start to its end; compiling comes before, and is told
 * apart. Programs run in turn, round after round.
 */
#include "bench.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

#define ARGS_MAX    24
#define RUNNERS_MAX 12
/* Of a model; a search that takes longer is given up. */
#define LIMIT 600.0
/* For the run that tells how deep spin has to go, and how many slots its table needs. */
#define DEPTH_MAX 10000000ull

enum kind {
	KIND_EXHAUST,
	KIND_VIOLATED,
	KIND_LIVE,
	KIND_LIVE_VIOLATED,
	KINDS,
};

static const char *const kind_name[KINDS] = {
	[KIND_EXHAUST] = "exhaust",
	[KIND_VIOLATED] = "violated",
	[KIND_LIVE] = "live",
	[KIND_LIVE_VIOLATED] = "live-violated",
};

/* What a program said at its end. */
struct outcome {
	const char
		*verdict; /* "holds", "violated", "inconclusive"; NULL: nothing that makes sense */
	u64 states, transitions, depth;
	u64 arena;             /* bytes of the world; 0: it does not say */
	double search_seconds; /* negative: it does not say */
};

struct runner {
	const char *tool, *variant;
	const char *missing; /* what it lacks, or NULL */
	char *arg[ARGS_MAX + 1];
	u32 args;
	bool (*understand)(const char *out, struct outcome *o);
	bool quiet;
	double build_seconds;
	struct outcome last;
	double seconds[BENCH_ROUNDS_MAX], search[BENCH_ROUNDS_MAX];
	u64 bytes;
	u32 rounds;
};

struct contest {
	const struct bench_options *o;
	const json_t *about; /* of models.json */
	enum kind kind;
	char title[200];
	char folder[PATH_MAX]; /* to build and run in */
	double limit;
	struct runner runner[RUNNERS_MAX];
	u32 runners;
};

/* ---- what they say ------------------------------------------------------------------------- */

static bool number_before(const char *text, const char *what, u64 *n)
{
	const char *at = strstr(text, what);

	if (!at)
		return false;
	while (at > text && at[-1] == ' ')
		at--;
	while (at > text && strchr("0123456789.e+", at[-1]))
		at--;
	/* spin writes large numbers as 1.2e+07 where it has to. */
	*n = (u64)strtod(at, NULL);
	return true;
}

static u64 number_behind(const char *text, const char *what)
{
	const char *at = strstr(text, what);

	return at ? strtoull(at + strlen(what), NULL, 10) : 0;
}

static bool understand_seamlab(const char *out, struct outcome *o)
{
	static const char *const verdicts[] = { "holds", "violated", "inconclusive" };
	json_t *j = json_loads(out, 0, NULL);
	const char *verdict = json_string_value(json_object_get(j, "verdict"));

	for (size_t i = 0; verdict && i < ARRAY_SIZE(verdicts); i++)
		if (!strcmp(verdict, verdicts[i]))
			o->verdict = verdicts[i];
	o->states = (u64)json_integer_value(json_object_get(j, "states"));
	o->transitions = (u64)json_integer_value(json_object_get(j, "transitions"));
	o->arena = (u64)json_integer_value(json_object_get(j, "arena_bytes"));
	o->search_seconds = json_number_value(json_object_get(j, "seconds"));
	json_decref(j);
	return o->verdict != NULL;
}

static bool understand_spin(const char *out, struct outcome *o)
{
	if (!strstr(out, "errors: ") || !number_before(out, "states, stored", &o->states) ||
	    !number_before(out, "transitions (=", &o->transitions))
		return false;
	/* It counts the way into the initial state, too. */
	o->transitions--;
	o->depth = number_behind(out, "depth reached ");
	o->verdict = number_behind(out, "errors: ") ? "violated" : "holds";
	/* Cut short, for want of depth or memory. */
	if (strstr(out, "max search depth too small") || strstr(out, "Search not completed"))
		o->verdict = strcmp(o->verdict, "violated") ? "inconclusive" : "violated";
	o->search_seconds = -1;
	return true;
}

static bool understand_rumur(const char *out, struct outcome *o)
{
	const char *sum = strstr(out, "State Space Explored");

	if (!sum || !number_before(sum, " states,", &o->states) ||
	    !number_before(sum, " rules fired", &o->transitions))
		return false;
	o->verdict = strstr(out, "No error found") ? "holds" : "violated";
	o->search_seconds = -1;
	return true;
}

/* ---- who takes part ------------------------------------------------------------------------ */

static void add_arg(struct runner *r, const char *text)
{
	if (r->args < ARGS_MAX)
		r->arg[r->args++] = strdup(text);
}

static void add_args(struct runner *r, const char *const *args)
{
	while (*args)
		add_arg(r, *args++);
}

#define ADD_ARGS(r, ...) add_args((r), (const char *const[]){ __VA_ARGS__, NULL })

static struct runner *add_runner(struct contest *c, const char *tool, const char *variant,
				 bool (*understand)(const char *, struct outcome *))
{
	struct runner *r = &c->runner[c->runners++];

	*r = (struct runner){ .tool = tool, .variant = variant, .understand = understand };
	return r;
}

static void free_runners(struct contest *c)
{
	for (u32 i = 0; i < c->runners; i++)
		for (u32 a = 0; a < c->runner[i].args; a++)
			free(c->runner[i].arg[a]);
	c->runners = 0;
}

static bool run(const struct contest *c, const struct runner *r, struct bench_done *d)
{
	const struct bench_run b = { .argv = (const char *const *)(uintptr_t)r->arg,
				     .folder = c->folder,
				     .limit = LIMIT,
				     .quiet = r->quiet };

	return bench_child(&b, d);
}

/* A quick run is over before a compiler would be done with improving the models. */
static const char *optimisation(const struct contest *c)
{
	return c->o->quick ? "-O0" : "-O3";
}

/* A step of building a program: false, and what it said on standard error, if it fails. */
static bool build(struct contest *c, double *seconds, const char *const *argv)
{
	const struct bench_run b = { .argv = argv, .folder = c->folder, .limit = LIMIT };
	struct bench_done d;
	bool ok = bench_child(&b, &d) && !d.status;

	if (!ok && !bench_interrupted())
		fprintf(stderr, "seamlab bench: %s: %s fails:\n%s\n", c->title, argv[0],
			d.out ? d.out : "");
	*seconds += d.seconds;
	free(d.out);
	return ok;
}

#define BUILD(c, seconds, ...) build((c), (seconds), (const char *const[]){ __VA_ARGS__, NULL })

static const char *model_of(const struct contest *c)
{
	return json_string_value(json_object_get(c->about, "model"));
}

/* Where a file of the models is, whole: programs run elsewhere. */
static bool find_data(const char *name, char *path)
{
	char found[PATH_MAX];

	if (cli_data(name, found, sizeof(found)) && realpath(found, path))
		return true;
	fprintf(stderr, "seamlab bench: cannot find %s\n", found);
	return false;
}

static bool find_model(const struct contest *c, const char *ending, char *path)
{
	char name[200];

	snprintf(name, sizeof(name), "bench/models/%s%s", model_of(c), ending);
	return find_data(name, path);
}

/* "-DNAME=VALUE" for each parameter, on the heap, NULL behind them. */
static void parameters(const struct contest *c, char **list, u32 room)
{
	json_t *value;
	const char *name;
	u32 n = 0;

	json_object_foreach(json_object_get(c->about, "set"), name,
			    value) if (n + 1 < room &&
				       asprintf(&list[n], "-D%s=%lld", name,
						(long long)json_integer_value(value)) > 0) n++;
	list[n] = NULL;
}

static void free_parameters(char **list)
{
	while (*list)
		free(*list++);
}

static bool is_live(const struct contest *c)
{
	return c->kind == KIND_LIVE || c->kind == KIND_LIVE_VIOLATED;
}

/* Parameters stand between what comes before them and behind them. */
static bool build_with(struct contest *c, double *seconds, const char *const *before,
		       const char *const *behind)
{
	const char *argv[ARGS_MAX + 1];
	char *set[ARGS_MAX];
	bool ok;
	u32 n = 0;

	parameters(c, set, ARGS_MAX / 2);
	while (*before)
		argv[n++] = *before++;
	for (u32 i = 0; set[i]; i++)
		argv[n++] = set[i];
	while (*behind && n < ARGS_MAX)
		argv[n++] = *behind++;
	argv[n] = NULL;
	ok = build(c, seconds, argv);
	free_parameters(set);
	return ok;
}

/* ---- the explorer -------------------------------------------------------------------------- */

static bool add_scenario(struct contest *c)
{
	const char *file = json_string_value(json_object_get(c->about, "scenario"));
	char name[300], path[PATH_MAX];
	struct runner *r;

	snprintf(name, sizeof(name), "%s%s", strchr(file, '/') ? "" : "bench/models/", file);
	if (!find_data(name, path))
		return false;
	r = add_runner(c, "seamlab", "", understand_seamlab);
	ADD_ARGS(r, c->o->seamlab, "check", "--format=json");
	r = add_runner(c, "seamlab", "--no-reduction --no-symmetry", understand_seamlab);
	ADD_ARGS(r, c->o->seamlab, "check", "--format=json", "--no-reduction", "--no-symmetry");
	if (c->o->two_cores) {
		r = add_runner(c, "seamlab", "--jobs 2", understand_seamlab);
		ADD_ARGS(r, c->o->seamlab, "check", "--format=json", "--jobs=2");
	}
	for (u32 i = 0; i < c->runners; i++) {
		char limit[40];

		c->runner[i].quiet = true;
		snprintf(limit, sizeof(limit), "--time=%g", c->limit);
		ADD_ARGS(&c->runner[i], limit, path);
	}
	return true;
}

/* seamlab-cc lies beside the program. */
static bool add_user_code(struct contest *c)
{
	char path[PATH_MAX], driver[PATH_MAX];
	const char *slash = strrchr(c->o->seamlab, '/');
	struct runner *r = add_runner(c, "seamlab", "--all-finish", understand_seamlab);

	if (!find_model(c, ".c", path))
		return false;
	snprintf(driver, sizeof(driver), "%.*sseamlab-cc",
		 slash ? (int)(slash + 1 - c->o->seamlab) : 0, c->o->seamlab);
	ADD_ARGS(r, "./seamlab-user", "--format=json", "--all-finish");
	r->quiet = true;
	if (!bench_has(driver) || !bench_has(bench_cc()))
		r->missing = "seamlab-cc or a C compiler is not installed";
	else if (!build_with(c, &r->build_seconds, (const char *const[]){ driver, "-O2", NULL },
			     (const char *const[]){ path, "-o", "seamlab-user", NULL }))
		r->missing = "cannot be built";
	return true;
}

/* ---- spin ---------------------------------------------------------------------------------- */

/* How large its table and its stack have to be, from a run with more than enough. */
static void fit_spin(struct contest *c, struct runner *r)
{
	struct bench_done d;
	char depth[40], table[20];
	u32 bits = 18;

	snprintf(depth, sizeof(depth), "-m%llu", DEPTH_MAX);
	add_arg(r, depth);
	if (!run(c, r, &d) || !r->understand(d.out, &r->last)) {
		r->missing = "gives no result";
	} else {
		while ((1ull << bits) < r->last.states)
			bits++;
		free(r->arg[--r->args]);
		snprintf(depth, sizeof(depth), "-m%llu",
			 (unsigned long long)(r->last.depth + r->last.depth / 8 + 1000));
		snprintf(table, sizeof(table), "-w%u", bits + 1);
		ADD_ARGS(r, depth, table);
	}
	free(d.out);
}

static void compile_spin(struct contest *c, struct runner *r, const char *flag, double spin_seconds)
{
	const char *kind = is_live(c) ? "-DNFAIR=3" : "-DSAFETY";
	char program[40];
	/* A flag that is none ends the list one earlier. */
	const char *const argv[] = {
		bench_cc(), optimisation(c),     "-w", "-DMEMLIM=16000", kind, "pan.c", "-o",
		program,    *flag ? flag : NULL, NULL
	};

	snprintf(program, sizeof(program), "./pan%s", flag);
	r->build_seconds = spin_seconds;
	if (!build(c, &r->build_seconds, argv)) {
		r->missing = "cannot be built";
		return;
	}
	add_arg(r, program);
	if (is_live(c))
		ADD_ARGS(r, "-a", "-f");
	fit_spin(c, r);
}

static bool add_spin(struct contest *c)
{
	static const char *const flags[] = { "", "-DNOREDUCE", "-DCOLLAPSE" };
	static const char *const live[] = { "-a -f", "-DNOREDUCE -a -f", "-DCOLLAPSE -a -f" };
	bool installed = bench_has("spin") && bench_has(bench_cc()), made = false;
	char path[PATH_MAX];
	double seconds = 0;

	if (!find_model(c, ".pml", path))
		return false;
	if (installed)
		made = build_with(c, &seconds,
				  (const char *const[]){ "spin", is_live(c) ? "-DLIVENESS" : NULL,
							 NULL },
				  (const char *const[]){ "-a", path, NULL });
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct runner *r =
			add_runner(c, "spin", is_live(c) ? live[i] : flags[i], understand_spin);

		if (!installed)
			r->missing = "not installed";
		else if (!made)
			r->missing = "cannot be built";
		else
			compile_spin(c, r, flags[i], seconds);
	}
	return true;
}

/* ---- rumur --------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (f && getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

/* The line "  NAME: n;" among the constants gets another n. */
static bool set_constant(char **text, const char *name, long long value)
{
	char line[100], *at, *end, *changed;
	int n;

	snprintf(line, sizeof(line), "\n  %s: ", name);
	at = strstr(*text, line);
	end = at ? strchr(at, ';') : NULL;
	if (!end)
		return false;
	n = asprintf(&changed, "%.*s%s%lld%s", (int)(at - *text), *text, line, value, end);
	if (n < 0)
		return false;
	free(*text);
	*text = changed;
	return true;
}

static bool write_murphi(struct contest *c, const char *from)
{
	char to[PATH_MAX + 20], *text = read_file(from);
	const char *name;
	json_t *value;
	bool ok = text != NULL;
	FILE *f;

	json_object_foreach(json_object_get(c->about, "set"), name, value) ok =
		ok && set_constant(&text, name, (long long)json_integer_value(value));
	snprintf(to, sizeof(to), "%s/model.m", c->folder);
	f = ok ? fopen(to, "w") : NULL;
	ok = f && fputs(text, f) >= 0;
	if (f)
		ok &= !fclose(f);
	free(text);
	if (!ok)
		fprintf(stderr, "seamlab bench: %s: cannot set the constants of %s\n", c->title,
			from);
	return ok;
}

static bool add_rumur(struct contest *c)
{
	char path[PATH_MAX];
	struct runner *r;

	if (!find_model(c, ".m", path) || !write_murphi(c, path))
		return false;
	r = add_runner(c, "rumur", "--threads 1", understand_rumur);
	add_arg(r, "./rumur-model");
	if (!bench_has("rumur") || !bench_has(bench_cc()))
		r->missing = "not installed";
	else if (!BUILD(c, &r->build_seconds, "rumur", "--threads", "1", "--deadlock-detection",
			"off", "--output", "model.c", "model.m") ||
		 !BUILD(c, &r->build_seconds, bench_cc(), "-std=c11", optimisation(c),
			"-march=native", "-w", "model.c", "-o", "rumur-model", "-lpthread",
			"-latomic"))
		r->missing = "cannot be built";
	return true;
}

/* ---- the contest --------------------------------------------------------------------------- */

static void one_turn(const struct contest *c, struct runner *r)
{
	struct bench_done d;

	if (r->missing)
		return;
	if (!run(c, r, &d) || !r->understand(d.out, &r->last)) {
		if (!bench_interrupted())
			fprintf(stderr, "seamlab bench: %s: %s %s gives no result:\n%.2000s\n",
				c->title, r->tool, r->variant, d.out ? d.out : "");
		r->missing = "gives no result";
	} else {
		r->seconds[r->rounds] = d.seconds;
		r->search[r->rounds++] = r->last.search_seconds;
		if (d.bytes > r->bytes)
			r->bytes = d.bytes;
	}
	free(d.out);
}

static void turns(struct contest *c)
{
	for (u32 round = 0; round < c->o->rounds && !bench_interrupted(); round++)
		for (u32 i = 0; i < c->runners; i++) {
			struct runner *r = &c->runner[i];

			bench_progress("exploration  %s  round %u of %u  %s %s", c->title,
				       round + 1, c->o->rounds, r->tool, r->variant);
			/* What has reached the limit once will do so again. */
			if (r->rounds && !strcmp(r->last.verdict, "inconclusive"))
				continue;
			one_turn(c, r);
		}
}

static json_t *real_or_null(bool there, double v)
{
	return there && isfinite(v) ? json_real(v) : json_null();
}

/* @base: seconds of the explorer as it comes; @same: of the explorer when it merges nothing. */
static json_t *row_of(const struct contest *c, struct runner *r, double base, double same)
{
	const char *verdict = r->last.verdict;
	bool ran = r->rounds > 0, over = ran && strcmp(verdict, "inconclusive") != 0;
	double median = ran ? bench_median(r->seconds, r->rounds) : 0;
	double search = ran ? bench_median(r->search, r->rounds) : 0;
	json_t *o = json_object();

	json_object_set_new(o, "model", json_string(c->title));
	json_object_set_new(o, "tool", json_string(r->tool));
	json_object_set_new(o, "variant", json_string(r->variant));
	json_object_set_new(o, "verdict", ran ? json_string(verdict) : json_null());
	json_object_set_new(o, "states",
			    ran ? json_integer((json_int_t)r->last.states) : json_null());
	json_object_set_new(o, "transitions",
			    ran ? json_integer((json_int_t)r->last.transitions) : json_null());
	json_object_set_new(o, "seconds", real_or_null(ran, median));
	json_object_set_new(o, "seconds_p90",
			    real_or_null(ran,
					 ran ? bench_percentile(r->seconds, r->rounds, 0.9) : 0));
	json_object_set_new(o, "search_seconds", real_or_null(ran && search >= 0, search));
	json_object_set_new(
		o, "transitions_per_second",
		real_or_null(ran, (double)r->last.transitions / (search > 0 ? search : median)));
	json_object_set_new(o, "bytes_per_state",
			    real_or_null(ran && r->last.states,
					 (double)r->bytes / (double)r->last.states));
	json_object_set_new(o, "bytes", ran ? json_integer((json_int_t)r->bytes) : json_null());
	json_object_set_new(o, "build_seconds", real_or_null(ran, r->build_seconds));
	json_object_set_new(o, "ratio", real_or_null(over && base > 0, median / base));
	json_object_set_new(o, "ratio_same_states", real_or_null(over && same > 0, median / same));
	json_object_set_new(o, "rounds", json_integer(r->rounds));
	json_object_set_new(o, "note", r->missing ? json_string(r->missing) : json_null());
	return o;
}

static double median_of(struct runner *r)
{
	bool over = r->rounds && strcmp(r->last.verdict, "inconclusive") != 0;

	return over ? bench_median(r->seconds, r->rounds) : 0;
}

/* The first runner is the explorer as it comes; the second, where there are two of it, merges nothing. */
static void add_rows(struct contest *c, json_t *rows)
{
	double base = median_of(&c->runner[0]);
	double same = is_live(c) ? base : median_of(&c->runner[1]);

	for (u32 i = 0; i < c->runners; i++)
		json_array_append_new(rows, row_of(c, &c->runner[i], base, same));
}

static bool find_kind(struct contest *c)
{
	const char *kind = json_string_value(json_object_get(c->about, "kind"));

	for (int k = 0; kind && k < KINDS; k++)
		if (!strcmp(kind, kind_name[k])) {
			c->kind = (enum kind)k;
			return true;
		}
	return false;
}

static void name_contest(struct contest *c)
{
	const char *name;
	json_t *value;
	size_t used;

	snprintf(c->title, sizeof(c->title), "%s", model_of(c));
	json_object_foreach(json_object_get(c->about, "set"), name, value)
	{
		used = strlen(c->title);
		snprintf(c->title + used, sizeof(c->title) - used, " %s=%lld", name,
			 (long long)json_integer_value(value));
	}
}

static bool make_folder(struct contest *c, const char *name, u32 number)
{
	snprintf(c->folder, sizeof(c->folder), "%s/%s%u", c->o->work, name, number);
	return !mkdir(c->folder, 0700);
}

/* False: the files of the models are not as they should be. */
static bool model_contest(struct contest *c, json_t *const rows[KINDS])
{
	bool ok = find_kind(c);

	if (!ok)
		return false;
	name_contest(c);
	bench_progress("exploration  %s  building", c->title);
	ok = is_live(c) ? add_user_code(c) : add_scenario(c);
	ok = ok && add_spin(c) && (is_live(c) || add_rumur(c));
	if (ok) {
		turns(c);
		add_rows(c, rows[c->kind]);
	}
	free_runners(c);
	return ok;
}

/* ---- worlds: with and without reduction ---------------------------------------------------- */

static json_t *world_row(struct contest *c)
{
	struct runner *r = &c->runner[0], *whole = &c->runner[1];
	json_t *o = row_of(c, r, median_of(r), 0), *w = row_of(c, whole, median_of(r), 0);
	bool over = whole->rounds && strcmp(whole->last.verdict, "inconclusive") != 0;

	json_object_set_new(o, "arena_bytes", json_integer((json_int_t)r->last.arena));
	json_object_set_new(o, "no_reduction", w);
	/* At least so many, if it did not come to an end. */
	json_object_set_new(o, "times_fewer_states",
			    real_or_null(r->last.states && whole->rounds,
					 (double)whole->last.states / (double)r->last.states));
	json_object_set_new(o, "at_least", json_boolean(!over));
	return o;
}

static bool world_contest(struct contest *c, json_t *worlds)
{
	bool ok;

	snprintf(c->title, sizeof(c->title), "%s",
		 json_string_value(json_object_get(c->about, "scenario")));
	ok = add_scenario(c);
	if (ok) {
		turns(c);
		json_array_append_new(worlds, world_row(c));
		/* With more cores. */
		for (u32 i = 2; i < c->runners; i++) {
			struct runner *r = &c->runner[i];
			json_t *o = row_of(c, r, median_of(&c->runner[0]), 0);

			json_object_set_new(o, "arena_bytes",
					    json_integer((json_int_t)r->last.arena));
			json_array_append_new(worlds, o);
		}
	}
	free_runners(c);
	return ok;
}

/* ---- the section --------------------------------------------------------------------------- */

static json_t *read_models(void)
{
	char path[PATH_MAX];
	json_error_t e;
	json_t *j;

	if (!find_data("bench/models/models.json", path))
		return NULL;
	j = json_load_file(path, 0, &e);
	if (!j)
		fprintf(stderr, "seamlab bench: %s:%d:%d: %s\n", path, e.line, e.column, e.text);
	return j;
}

static bool wanted(const struct bench_options *o, const json_t *about)
{
	const char *set = json_string_value(json_object_get(about, "in"));

	return set && !strcmp(set, o->quick ? "quick" : "full");
}

bool bench_two_cores(const char *seamlab)
{
	const char *const argv[] = { seamlab, "check", "--help", NULL };
	const struct bench_run r = { .argv = argv, .limit = 10 };
	struct bench_done d;
	bool has;

	if (!bench_child(&r, &d))
		return false;
	has = strstr(d.out, "--jobs") != NULL;
	free(d.out);
	return has;
}

json_t *bench_exploration(const struct bench_options *o)
{
	json_t *models = read_models(), *rows[KINDS], *worlds = json_array(), *about;
	struct contest *c = calloc(1, sizeof(*c));
	bool ok = models && c;
	size_t i;

	for (int k = 0; k < KINDS; k++)
		rows[k] = json_array();
	json_array_foreach (json_object_get(models, "models"), i, about) {
		if (!ok || bench_interrupted() || !wanted(o, about))
			continue;
		*c = (struct contest){ .o = o, .about = about, .limit = LIMIT };
		ok = make_folder(c, "model", (u32)i) && model_contest(c, rows);
	}
	json_array_foreach (json_object_get(models, "worlds"), i, about) {
		if (!ok || bench_interrupted() || !wanted(o, about))
			continue;
		*c = (struct contest){ .o = o, .about = about, .limit = o->seconds };
		ok = make_folder(c, "world", (u32)i) && world_contest(c, worlds);
	}
	free(c);
	json_decref(models);
	if (!ok || bench_interrupted()) {
		for (int k = 0; k < KINDS; k++)
			json_decref(rows[k]);
		json_decref(worlds);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "exhaust", rows[KIND_EXHAUST],
			 "first_violation", rows[KIND_VIOLATED], "liveness", rows[KIND_LIVE],
			 "first_livelock", rows[KIND_LIVE_VIOLATED], "worlds", worlds,
			 "world_limit_seconds", o->seconds);
}
