// SPDX-License-Identifier: MIT
/*
 * Fuzzing of the scenario reader. With libFuzzer (SL_LIBFUZZER defined) any bytes; without it a
 * seeded run that mutates a built-in corpus: fuzz_scenario [--seed S] [--runs N] [--first I].
 * A failure prints one line that reproduces it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "host/policy.h"
#include "scenario/scenario.h"

#define PATH "fuzz.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_scenario: not so: %s\n", what);
	abort();
}

#define REQUIRE(cond) require(cond, #cond)

/* The pages of an operation are whole leaves inside one or more ranges of the TD. */
static void check_pages(const struct scn_td *td, u64 gpa, u64 count, u8 level)
{
	u64 end;

	REQUIRE(level <= 1);
	REQUIRE(count >= 1 && count <= SCN_MEMORY_MAX >> SL_PAGE_SHIFT);
	REQUIRE(sl_is_aligned(gpa, SL_LEVEL_SIZE(level)));
	end = gpa + count * SL_LEVEL_SIZE(level);
	REQUIRE(end <= td->pages << SL_PAGE_SHIFT);
	for (u32 i = 0; i < td->range_count && gpa < end; i++) {
		const struct scn_range *r = &td->ranges[i];
		u64 range_end = r->gpa + r->count * SL_LEVEL_SIZE(r->level);

		if (gpa >= r->gpa && gpa < range_end) {
			REQUIRE(r->level == level);
			gpa = range_end;
		}
	}
	REQUIRE(gpa >= end);
}

/* S-EPT entries, at whatever level: each maps or leads to memory of the TD. */
static void check_entries(const struct scn_td *td, u64 gpa, u64 count, u8 level, u8 level_max)
{
	u64 size, memory = td->pages << SL_PAGE_SHIFT;

	REQUIRE(level <= level_max);
	size = SL_LEVEL_SIZE(level);
	REQUIRE(count >= 1 && count <= SCN_MEMORY_MAX >> SL_PAGE_SHIFT);
	REQUIRE(sl_is_aligned(gpa, size));
	REQUIRE(gpa + (count - 1) * size < memory);
}

static void check_vcpu(const struct scn_td *td, const struct scn_vcpu *v)
{
	u32 depth = 0;

	for (u32 i = 0; i < v->count; i++) {
		const struct guest_op *op = &v->ops[i];

		switch (op->code) {
		case GUEST_ACCEPT:
		case GUEST_ATTR_WR:
			check_entries(td, op->gpa, op->count, op->level, 1);
			break;
		case GUEST_READ:
		case GUEST_WRITE:
		case GUEST_ATTR_RD:
		case GUEST_REPORT:
		case GUEST_TOUCH:
		case GUEST_MAP_GPA_SHARED:
		case GUEST_MAP_GPA_PRIVATE:
			check_pages(td, op->gpa, op->count, op->level);
			break;
		case GUEST_RTMR_EXTEND:
			check_pages(td, op->gpa, op->count, op->level);
			REQUIRE(op->rtmr < SCN_RTMRS);
			break;
		case GUEST_OTHER_CALL:
		case GUEST_HALT:
			REQUIRE(op->count == 1);
			break;
		case GUEST_LOOP:
			REQUIRE(++depth <= GUEST_LOOPS_MAX);
			REQUIRE(op->times >= 1);
			REQUIRE(op->match > i && op->match < v->count);
			REQUIRE(v->ops[op->match].code == GUEST_END);
			break;
		case GUEST_END:
			REQUIRE(depth-- > 0);
			REQUIRE(op->match < i && v->ops[op->match].match == i);
			break;
		default:
			REQUIRE(false);
		}
	}
	REQUIRE(depth == 0);
}

static void check_host(const struct scenario *s, const struct scn_host *h)
{
	u32 depth = 0;

	for (u32 i = 0; i < h->count; i++) {
		const struct scn_host_op *op = &h->ops[i];

		REQUIRE(op->td < s->td_count);
		switch (op->code) {
		case SCN_HOST_MAP:
		case SCN_HOST_ZAP:
			check_pages(&s->td[op->td], op->gpa, op->count, op->level);
			break;
		case SCN_HOST_SIGNAL:
		case SCN_HOST_INTERRUPT:
			REQUIRE(op->vcpu < s->td[op->td].vcpus);
			break;
		case SCN_HOST_BUILD:
		case SCN_HOST_RUN:
		case SCN_HOST_TEARDOWN:
			REQUIRE(s->td[op->td].explicit_life);
			break;
		case SCN_HOST_LOOP:
			REQUIRE(++depth <= GUEST_LOOPS_MAX);
			REQUIRE(op->times >= 1);
			REQUIRE(op->match > i && op->match < h->count);
			REQUIRE(h->ops[op->match].code == SCN_HOST_END);
			break;
		case SCN_HOST_END:
			REQUIRE(depth-- > 0);
			REQUIRE(op->match < i && h->ops[op->match].match == i);
			break;
		default:
			REQUIRE(false);
		}
	}
	REQUIRE(depth == 0);
}

/* A page that a raw SEAMCALL names is there. */
static void check_page(const struct scenario *s, const struct scn_page *p)
{
	REQUIRE(p->td < SCN_TDS_MAX);
	switch (p->kind) {
	case SCN_PAGE_SPARE:
		REQUIRE(p->index < SCN_SPARES_MAX);
		break;
	case SCN_PAGE_GUEST:
		REQUIRE(p->td < s->td_count && p->index < s->td[p->td].pages);
		break;
	case SCN_PAGE_TDR:
		REQUIRE(p->td < s->td_count);
		break;
	case SCN_PAGE_TDVPR:
		REQUIRE(p->td < s->td_count && p->index < s->td[p->td].vcpus);
		break;
	case SCN_PAGE_DEFAULT:
		break;
	}
}

static void check_lp(const struct scenario *s, const struct scn_lp *l)
{
	u32 depth = 0;

	for (u32 i = 0; i < l->count; i++) {
		const struct scn_lp_op *op = &l->ops[i];

		REQUIRE(op->td < s->td_count);
		REQUIRE(!s->td[op->td].explicit_life);
		check_page(s, &op->page);
		check_page(s, &op->owner);
		switch (op->code) {
		case SCN_LP_PAGE:
			check_entries(&s->td[op->td], op->gpa, op->count, op->level, 3);
			break;
		case SCN_LP_VCPU:
			REQUIRE(op->vcpu < s->td[op->td].vcpus);
			break;
		case SCN_LP_TD:
		case SCN_LP_SYS:
			break;
		case SCN_LP_LOOP:
			REQUIRE(++depth <= GUEST_LOOPS_MAX);
			REQUIRE(op->times >= 1);
			REQUIRE(op->match > i && op->match < l->count);
			REQUIRE(l->ops[op->match].code == SCN_LP_END);
			break;
		case SCN_LP_END:
			REQUIRE(depth-- > 0);
			REQUIRE(op->match < i && l->ops[op->match].match == i);
			break;
		default:
			REQUIRE(false);
		}
	}
	REQUIRE(depth == 0);
}

/* Holds do not nest, and whoever skips one arrives behind its release at the same depth. */
static void check_caller(const struct scenario *s, const struct scn_caller *c)
{
	bool has_readers = s->lock == SCN_LOCK_SHAREX || s->lock == SCN_LOCK_SHAREX_HP;
	u32 depth = 0, held_depth = 0, release = 0;
	bool held = false, shared = false;

	for (u32 i = 0; i < c->count; i++) {
		const struct scn_caller_op *op = &c->ops[i];

		switch (op->code) {
		case SCN_CALLER_EXCLUSIVE:
		case SCN_CALLER_SHARED:
			shared = op->code == SCN_CALLER_SHARED;
			REQUIRE(!held && (!shared || has_readers));
			REQUIRE(op->match > i && op->match < c->count);
			REQUIRE(c->ops[op->match].code == SCN_CALLER_RELEASE);
			held = true;
			held_depth = depth;
			release = op->match;
			break;
		case SCN_CALLER_PROMOTE:
			REQUIRE(held && shared && depth == held_depth);
			shared = false;
			break;
		case SCN_CALLER_COMMIT:
			REQUIRE(held && s->lock == SCN_LOCK_SEPT_ENTRY);
			break;
		case SCN_CALLER_RELEASE:
			REQUIRE(held && depth == held_depth && release == i);
			held = false;
			break;
		case SCN_CALLER_LOOP:
			REQUIRE(++depth <= GUEST_LOOPS_MAX);
			REQUIRE(op->times >= 1);
			REQUIRE(op->match > i + 1 && op->match < c->count);
			REQUIRE(c->ops[op->match].code == SCN_CALLER_END);
			break;
		case SCN_CALLER_END:
			REQUIRE(depth-- > 0);
			REQUIRE(op->match < i && c->ops[op->match].match == i);
			REQUIRE(!held || held_depth <= depth);
			break;
		default:
			REQUIRE(false);
		}
	}
	REQUIRE(depth == 0 && !held);
}

static void check_raw_lanes(const struct scenario *s)
{
	u32 lps = 0, callers = 0;

	for (u32 i = 0; i < SCN_LPS_MAX; i++) {
		lps += s->lp[i].named;
		REQUIRE(s->lp[i].named || s->lp[i].count == 0);
		check_lp(s, &s->lp[i]);
	}
	check_lp(s, &s->setup);
	REQUIRE(s->setup.named ? lps : !s->setup.count);
	for (u32 i = 0; i < s->setup.count; i++)
		REQUIRE(s->setup.ops[i].times != GUEST_FOREVER);
	for (u32 i = 0; i < s->td_count; i++)
		REQUIRE(!s->td[i].unfinished || (lps && !s->host_count));
	for (u32 i = 0; i < SCN_CALLERS_MAX; i++) {
		callers += s->caller[i].named;
		REQUIRE(s->caller[i].named || s->caller[i].count == 0);
		check_caller(s, &s->caller[i]);
	}
	REQUIRE(lps == s->lp_count && callers == s->caller_count);
	REQUIRE(s->lock ? !lps && !s->host_count && !s->never_count : !callers && !s->hp_kept);
	REQUIRE(s->never_count <= SCN_NEVER_MAX);
}

/* What the reader took is what preset and switches make when they are set again. */
static void check_policy(const struct scenario *s)
{
	struct host_policy p;

	REQUIRE(!host_policy_init(&p, s->rules.name, strlen(s->rules.name)));
	REQUIRE(s->set_count <= SCN_SETTINGS_MAX);
	for (u32 i = 0; i < s->set_count; i++)
		REQUIRE(!host_policy_set(&p, s->set[i].setting, s->set[i].value,
					 strlen(s->set[i].value)));
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		REQUIRE(p.site[i].action == s->rules.site[i].action &&
			p.site[i].tries == s->rules.site[i].tries);
	REQUIRE(!memcmp(p.sw, s->rules.sw, sizeof(p.sw)));
}

static void check_scenario(const struct scenario *s)
{
	REQUIRE(s->title && s->title[0] && strlen(s->title) <= SCN_TITLE_MAX);
	REQUIRE(strcmp(s->path, PATH) == 0);
	check_policy(s);
	REQUIRE(s->lock ? s->td_count == 0 : s->td_count >= 1);
	REQUIRE(s->td_count <= SCN_TDS_MAX);
	check_raw_lanes(s);
	REQUIRE(s->host_count <= SCN_HOSTS_MAX);
	REQUIRE(s->seconds >= 1 && s->seconds <= SCN_SECONDS_MAX);
	REQUIRE(s->module.zero_step_threshold >= 1 && s->module.zero_step_threshold <= 255);
	REQUIRE(s->module.packages >= 1 && s->module.packages <= SL_PACKAGES_MAX);
	REQUIRE((s->expect == SCN_VIOLATED) == (s->expect_kind != NULL));
	REQUIRE((s->on_busy == GUEST_BUSY_RETRY_N) == (s->busy_retries != 0));
	for (u32 i = 0; i < s->td_count; i++) {
		const struct scn_td *td = &s->td[i];
		u64 end = 0;

		REQUIRE(td->vcpus >= 1 && td->vcpus <= SCN_VCPUS_MAX);
		REQUIRE(td->range_count <= SCN_RANGES_MAX);
		REQUIRE(td->pages <= SCN_MEMORY_MAX >> SL_PAGE_SHIFT);
		for (u32 j = 0; j < td->range_count; j++) {
			REQUIRE(td->ranges[j].name[SCN_NAME_MAX - 1] == 0);
			REQUIRE(!(td->ranges[j].level && td->ranges[j].state == SCN_MAPPED));
			check_pages(td, td->ranges[j].gpa, td->ranges[j].count,
				    td->ranges[j].level);
			REQUIRE(td->ranges[j].gpa ==
				sl_align_up(end, SL_LEVEL_SIZE(td->ranges[j].level)));
			end = td->ranges[j].gpa +
			      td->ranges[j].count * SL_LEVEL_SIZE(td->ranges[j].level);
		}
		REQUIRE(td->pages == end >> SL_PAGE_SHIFT);
		for (u32 j = 0; j < SCN_VCPUS_MAX; j++) {
			REQUIRE(j < td->vcpus || td->vcpu[j].count == 0);
			check_vcpu(td, &td->vcpu[j]);
		}
	}
	for (u32 i = 0; i < SCN_HOSTS_MAX; i++) {
		REQUIRE(i < s->host_count || s->host[i].count == 0);
		check_host(s, &s->host[i]);
	}
}

/* "fuzz.yaml:LINE:COLUMN: found ...; expected ...", inside the text. */
static void check_error(const char *text, const uint8_t *data, size_t size)
{
	unsigned long line, column, lines = 1;
	const char *p = text;
	char *end;

	REQUIRE(strlen(text) < sizeof(((struct sl_err *)NULL)->text) - 1);
	REQUIRE(strncmp(p, PATH ":", strlen(PATH ":")) == 0);
	line = strtoul(p + strlen(PATH ":"), &end, 10);
	REQUIRE(*end == ':');
	column = strtoul(end + 1, &end, 10);
	REQUIRE(strncmp(end, ": found ", 8) == 0);
	REQUIRE(strstr(end, "; expected "));
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\n' || (data[i] == '\r' && (i + 1 == size || data[i + 1] != '\n')))
			lines++;
	/* The end of a text counts as the start of one more line. */
	REQUIRE(line >= 1 && line <= lines + 1);
	REQUIRE(column >= 1 && column <= size + 1);
	for (; *p; p++)
		REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scenario *s = (struct scenario *)1;
	struct sl_err err;
	int ret = scenario_read_text(PATH, (const char *)data, size, &s, &err);

	if (ret) {
		REQUIRE(ret == -EINVAL);
		REQUIRE(!s);
		check_error(err.text, data, size);
		return 0;
	}
	REQUIRE(s);
	check_scenario(s);
	scenario_free(s);
	return 0;
}

#ifndef SL_LIBFUZZER

#define INPUT_MAX 16384

static const char *const corpus[] = {
	"title: Accept against zap\n"
	"module: {release: \"1.5.01\", flavour: published, zero-step-threshold: 6}\n"
	"td:\n"
	"  vcpus: 2\n"
	"  memory:\n"
	"    a: {level: 4K, state: pending}\n"
	"    big: {level: 2M, size: 16M, state: free}\n"
	"    ram: {size: 64K}   # sixteen\n"
	"    b: {}\n"
	"host: {policy: blind-16, set: {track: no-kick, zap-remove: blind-3, "
	"busy-test: exact-92}}\n"
	"guest: {on-busy: retry-7}\n"
	"run:\n"
	"  vcpu0: [accept a, read big@1/4, {loop 3: [touch big@1..big@6, touch ram..b]}]\n"
	"  vcpu1:\n"
	"    - loop forever:\n"
	"        - map-gpa ram@random shared\n"
	"        - map-gpa ram@3 private\n"
	"    - other-call\n"
	"    - halt\n"
	"  host0: [zap a, map ram@1/4@random, signal 0, interrupt vcpu1]\n"
	"claims: [all-finish, no-stale-hp]\n"
	"expect: violated(host-assert)\n"
	"seconds: 3\n",

	"title: 'Two TDs'\n"
	"td:\n"
	"  - {vcpus: 1, memory: {a: {}, b: {size: 2M, level: 2M, state: pending}}}\n"
	"  - vcpus: 3\n"
	"    sept-ve-disable: true\n"
	"    memory: {m: {state: mapped, size: 8192}}\n"
	"run: {td1.vcpu2: [write m@0..1@random, attr-rd m], vcpu0: [touch a],\n"
	"      host1: [{loop 2: [build td1, run td1, teardown td1]}, zap td1:m@1,\n"
	"              signal td1.vcpu2]}\n"
	"expect: inconclusive\n",

	"title: least\ntd: {vcpus: 1}\nrun: {}\n",

	"title: A word\n"
	"lock: {kind: sharex-hp, flavour: hardened}\n"
	"run:\n"
	"  caller0: [{loop forever: [exclusive host retry, release]}, shared guest, release]\n"
	"  caller3: [shared host, promote retry, release]\n"
	"claims: [no-stale-hp, hp-kept, all-finish]\n",

	"title: An entry\n"
	"lock: {kind: sept-entry}\n"
	"run: {caller1: [exclusive guest, {loop 3: [commit]}, commit, release]}\n",

	"title: Raw\n"
	"td: {vcpus: 2, memory: {a: {}, b: {size: 16K}}}\n"
	"run:\n"
	"  lp0: [MEM.PAGE.AUG a spare1 retry, {loop 2: [MEM.RANGE.BLOCK b@random 2M]}, VP.FLUSH 1]\n"
	"  setup: [MEM.SEPT.ADD b]\n"
	"  lp7: [MEM.TRACK, MEM.TRACK td0, MEM.PAGE.REMOVE a]\n"
	"  lp2: [SYS.INFO, SYS.RD 0x1, MNG.RD OP_STATE td0, MNG.WR HP_LOCK_TIMEOUT 20000,\n"
	"        VP.RD VCPU_STATE 1, VP.WR PEND_NMI 1 vcpu0, PHYMEM.PAGE.RDMD b, MNG.KEY.RECLAIMID]\n"
	"  vcpu0: [accept a, rtmr-extend a, rtmr-extend a 3, report b@2]\n"
	"claims: [never TDX_OPERAND_BUSY(SEPT_TREE), never TDX_EPT_WALK_FAILED]\n",

	("{\"title\": \"as JSON\",\n"
	 " \"td\": {\"vcpus\": 1, \"memory\": {\"p\": {\"level\": \"4K\"}}},\n"
	 " \"run\": {\"vcpu0\": [\"touch p\", {\"loop 2\": [\"read p\"]}]},\n"
	 " \"expect\": \"holds\"}\n"),
};

/* Pieces that random bytes would hardly ever make. */
static const char *const pieces[] = {
	"title: ",
	"td: ",
	"run: ",
	"vcpus: ",
	"memory: ",
	"level: ",
	"size: ",
	"state: ",
	"vcpu0: ",
	"td1.vcpu0: ",
	"host0: ",
	"host7: ",
	"loop 3: ",
	"loop forever: ",
	"{",
	"}",
	"[",
	"]",
	", ",
	"\n",
	"\n  ",
	"\n    - ",
	"- ",
	": ",
	"@random",
	"@1/4",
	"@0",
	"..",
	"a",
	"td0:",
	"td3:",
	"'",
	"\"",
	"|\n  ",
	">-\n  ",
	"? ",
	"&x ",
	"*x",
	"!!str ",
	"# ",
	"---\n",
	"...\n",
	"%YAML 1.2",
	"\t",
	"\r\n",
	"\r",
	"\xef\xbb\xbf",
	"\xc3\xa9",
	"\xe2\x80\xa8",
	"\\x00",
	"~",
	"null",
	"<<: ",
	"4K",
	"2M",
	"64G",
	"65G",
	"18446744073709551616",
	"-1",
	"0",
	"accept ",
	"touch ",
	"zap ",
	"violated(",
	"retry-",
	"mapped",
	"lock: ",
	"lock: {kind: sept-entry}",
	"kind: mutex",
	"lp0: ",
	"caller0: ",
	"shared host, ",
	"exclusive guest retry, ",
	"promote, ",
	"release, ",
	"commit, ",
	"MEM.TRACK",
	"MEM.SEPT.REMOVE a 1G retry",
	"MEM.PAGE.DEMOTE big 2M spare7",
	"setup: ",
	"finalized: false",
	"interrupts: ",
	" 512G",
	" retry",
	"hp-kept",
	"never TDX_OPERAND_BUSY",
	"true",
	"vcpu15: ",
};

static struct {
	u64 seed;
	u64 index;
} now;

static void report(void)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "fuzz_scenario: failed; to reproduce: fuzz_scenario --seed %llu "
			 "--first %llu --runs 1\n",
			 (unsigned long long)now.seed, (unsigned long long)now.index);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void on_signal(int sig)
{
	report();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* In the sanitizers' run-time library, if there is one: they may end without a signal. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static size_t insert(u8 *buf, size_t size, size_t at, const char *what, size_t n)
{
	if (size + n > INPUT_MAX)
		return size;
	memmove(buf + at + n, buf + at, size - at);
	memcpy(buf + at, what, n);
	return size + n;
}

static size_t mutate(struct sl_rng *rng, u8 *buf, size_t size)
{
	size_t at = sl_rng_below(rng, (u32)size + 1);
	size_t n = 1 + sl_rng_below(rng, sl_rng_below(rng, 4) ? 4 : 64);
	const char *other;
	u8 copy[64];

	if (n > size - at)
		n = size - at;
	switch (sl_rng_below(rng, 7)) {
	case 0:
		memmove(buf + at, buf + at + n, size - at - n);
		return size - n;
	case 1:
		memcpy(copy, buf + at, n);
		return insert(buf, size, sl_rng_below(rng, (u32)size + 1), (const char *)copy, n);
	case 2:
		if (at < size)
			buf[at] = (u8)sl_rng_below(rng, 256);
		return size;
	case 3:
		if (at < size)
			buf[at] = (u8) " \n:,[]{}@./-0129aKMG'\"#"[sl_rng_below(rng, 23)];
		return size;
	case 4:
		other = corpus[sl_rng_below(rng, ARRAY_SIZE(corpus))];
		n = sl_rng_below(rng, (u32)strlen(other));
		other += n;
		n = strlen(other);
		if (n > 40)
			n = 1 + sl_rng_below(rng, 40);
		return insert(buf, size, at, other, n);
	default:
		other = pieces[sl_rng_below(rng, ARRAY_SIZE(pieces))];
		return insert(buf, size, at, other, strlen(other));
	}
}

static void run_one(u64 seed, u64 index)
{
	struct sl_rng rng = { .state = seed ^ (index + 1) * 0xD1B54A32D192ED03ull };
	static u8 buf[INPUT_MAX];
	const char *start = corpus[sl_rng_below(&rng, ARRAY_SIZE(corpus))];
	size_t size = strlen(start);
	u32 times = sl_rng_below(&rng, sl_rng_below(&rng, 3) ? 4 : 32);
	u8 *exact;

	memcpy(buf, start, size);
	for (u32 i = 0; i < times; i++)
		size = mutate(&rng, buf, size);
	/* A copy of just this size, so that a sanitizer sees a read behind it. */
	exact = malloc(size ? size : 1);
	if (!exact)
		abort();
	memcpy(exact, buf, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

int main(int argc, char **argv)
{
	u64 runs = 20000, first = 0;

	for (int i = 1; i < argc; i += 2) {
		u64 *to = strcmp(argv[i], "--seed") == 0    ? &now.seed
			  : strcmp(argv[i], "--runs") == 0  ? &runs
			  : strcmp(argv[i], "--first") == 0 ? &first
							    : NULL;
		char *end = NULL;

		if (to && i + 1 < argc)
			*to = strtoull(argv[i + 1], &end, 0);
		if (!end || *end || end == argv[i + 1]) {
			fprintf(stderr, "usage: fuzz_scenario [--seed S] [--runs N] [--first I]\n");
			return 2;
		}
	}
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(report);
	} else {
		signal(SIGSEGV, on_signal);
		signal(SIGBUS, on_signal);
		signal(SIGFPE, on_signal);
	}
	for (now.index = first; now.index < first + runs; now.index++) {
		alarm(20);
		run_one(now.seed, now.index);
	}
	return 0;
}

#endif
