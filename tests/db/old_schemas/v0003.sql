PRAGMA user_version=3;
BEGIN TRANSACTION;
CREATE TABLE actions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DOUBLE NOT NULL, 
	actor VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	changes JSON NOT NULL, 
	undone_at DOUBLE
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE artifacts (
	run_id VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (run_id, attempt, path), 
	CONSTRAINT fk_artifacts_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE attempts (
	run_id VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	job_id INTEGER, 
	worker_id VARCHAR, 
	host VARCHAR NOT NULL, 
	boot_id VARCHAR NOT NULL, 
	pid INTEGER, 
	pid_start INTEGER, 
	devices JSON NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE, 
	outcome VARCHAR, 
	exit_code INTEGER, 
	failure_class VARCHAR, 
	error VARCHAR, 
	resume_step INTEGER, 
	log_path VARCHAR NOT NULL, 
	points_offset INTEGER NOT NULL, 
	events_offset INTEGER NOT NULL, engine VARCHAR DEFAULT 'local' NOT NULL, engine_ref VARCHAR, peak_memory_mib INTEGER, peak_gpu_mib INTEGER, frozen_seconds DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_attempts PRIMARY KEY (run_id, number), 
	CONSTRAINT ck_attempts_failure_class CHECK (failure_class IN ('error', 'config', 'data', 'diverged', 'out_of_memory', 'host_out_of_memory', 'time_limit', 'hung', 'disk_full', 'killed', 'lost')), 
	CONSTRAINT ck_attempts_outcome CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'lost', 'paused')), 
	CONSTRAINT fk_attempts_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
INSERT INTO "attempts" VALUES('run00001',1,1,'w1','host','boot',5,6,'["cpu0"]',1800000000.0,1800000009.0,'succeeded',0,NULL,NULL,NULL,'log.txt',84,0,'local',NULL,NULL,NULL,0.0);
INSERT INTO "attempts" VALUES('run00002',1,2,'w1','host','boot',5,6,'["cuda:0"]',1800000000.0,NULL,NULL,NULL,NULL,NULL,NULL,'log.txt',0,0,'local',NULL,NULL,NULL,0.0);
CREATE TABLE checkpoints (
	run_id VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (run_id, attempt, path), 
	CONSTRAINT ck_checkpoints_role CHECK (role IN ('best', 'last')), 
	CONSTRAINT fk_checkpoints_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "checkpoints" VALUES('run00002',1,'a1/checkpoints/last-40.pt','last',2,40,9,'ab',1800000000.0);
CREATE TABLE commands (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id INTEGER, 
	worker_id VARCHAR, 
	verb VARCHAR NOT NULL, 
	arguments JSON NOT NULL, 
	actor VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	handled_at DOUBLE, 
	result VARCHAR, 
	CONSTRAINT ck_commands_verb CHECK (verb IN ('cancel', 'pause', 'requeue', 'freeze', 'thaw', 'stop_worker')), 
	CONSTRAINT fk_commands_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE device_leases (
	scope VARCHAR NOT NULL, 
	device VARCHAR NOT NULL, 
	worker_id VARCHAR NOT NULL, 
	job_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	taken_at DOUBLE NOT NULL, share DOUBLE DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_device_leases PRIMARY KEY (scope, device, job_id), 
	CONSTRAINT fk_device_leases_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "device_leases" VALUES('host','cuda:0','w1',2,1,1800000000.0,1.0);
CREATE TABLE devices (
	worker_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	memory_mib INTEGER NOT NULL, 
	memory_used_mib INTEGER NOT NULL, 
	utilisation DOUBLE NOT NULL, 
	CONSTRAINT pk_devices PRIMARY KEY (worker_id, name), 
	CONSTRAINT ck_devices_kind CHECK (kind IN ('cpu', 'gpu')), 
	CONSTRAINT fk_devices_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id) ON DELETE CASCADE
);
INSERT INTO "devices" VALUES('w1','cpu0','cpu','model of device',1000,10,1.0);
INSERT INTO "devices" VALUES('w1','cpu1','cpu','model of device',1000,10,1.0);
INSERT INTO "devices" VALUES('w1','cuda:0','gpu','model of device',1000,10,1.0);
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DOUBLE NOT NULL, 
	kind VARCHAR NOT NULL, 
	job_id INTEGER, 
	run_id VARCHAR, 
	attempt INTEGER, 
	from_state VARCHAR, 
	to_state VARCHAR, 
	why VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	CONSTRAINT ck_events_kind CHECK (kind IN ('job', 'run', 'worker', 'command'))
);
INSERT INTO "events" VALUES(1,1800000000.0,'job',1,'run00001',NULL,NULL,'queued','added','ada');
INSERT INTO "events" VALUES(2,1800000000.0,'worker',NULL,NULL,NULL,NULL,NULL,'w1 started','w1');
INSERT INTO "events" VALUES(3,1800000000.0,'job',1,'run00001',1,'queued','starting','claimed by w1','w1');
INSERT INTO "events" VALUES(4,1800000000.0,'run',1,'run00001',NULL,NULL,'starting','began','run');
INSERT INTO "events" VALUES(5,1800000001.0,'job',1,'run00001',1,'starting','running','','w1');
INSERT INTO "events" VALUES(6,1800000000.0,'job',2,'run00002',NULL,NULL,'queued','added','ada');
INSERT INTO "events" VALUES(7,1800000000.0,'worker',NULL,NULL,NULL,NULL,NULL,'w1 started','w1');
INSERT INTO "events" VALUES(8,1800000000.0,'job',2,'run00002',1,'queued','starting','claimed by w1','w1');
INSERT INTO "events" VALUES(9,1800000000.0,'run',2,'run00002',NULL,NULL,'starting','began','run');
INSERT INTO "events" VALUES(10,1800000001.0,'job',2,'run00002',1,'starting','running','','w1');
INSERT INTO "events" VALUES(11,1800000000.0,'run',NULL,'run00001',NULL,NULL,NULL,'tagged it''s','ada');
INSERT INTO "events" VALUES(12,1800000000.0,'run',NULL,'run00001',NULL,NULL,NULL,'note changed','ada');
INSERT INTO "events" VALUES(13,1800000009.0,'job',1,'run00001',1,'running','succeeded','','w1');
INSERT INTO "events" VALUES(14,1800000000.0,'job',3,'run00003',NULL,NULL,'queued','added','ada');
CREATE TABLE final_metrics (
	run_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	value DOUBLE, 
	CONSTRAINT pk_final_metrics PRIMARY KEY (run_id, name), 
	CONSTRAINT fk_final_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "final_metrics" VALUES('run00001','test.mae',0.8);
CREATE TABLE groups (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL
, parallelism INTEGER, paused_at DOUBLE);
INSERT INTO "groups" VALUES(1,'sweep','jobs',1800000000.0,NULL,NULL);
CREATE TABLE job_dependencies (
	job_id INTEGER NOT NULL, 
	depends_on INTEGER NOT NULL, kind VARCHAR DEFAULT 'ok' NOT NULL CONSTRAINT ck_job_dependencies_kind CHECK (kind IN ('ok', 'any')), 
	CONSTRAINT pk_job_dependencies PRIMARY KEY (job_id, depends_on), 
	CONSTRAINT fk_job_dependencies_depends_on FOREIGN KEY(depends_on) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_job_dependencies_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "job_dependencies" VALUES(3,2,'ok');
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id VARCHAR NOT NULL, 
	group_id INTEGER, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	priority INTEGER NOT NULL, 
	position DOUBLE NOT NULL, 
	not_before DOUBLE, 
	attempt INTEGER NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	allowance INTEGER NOT NULL, 
	config JSON NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	variant VARCHAR NOT NULL, 
	dataset VARCHAR NOT NULL, 
	data_name VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	seed INTEGER NOT NULL, 
	gpus DOUBLE NOT NULL, 
	max_epochs INTEGER NOT NULL, 
	command JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	worker_id VARCHAR, 
	lease_until DOUBLE, 
	lease_boot_id VARCHAR, 
	lease_boot_until DOUBLE, 
	error VARCHAR, memory_mib INTEGER, is_alone BOOLEAN DEFAULT 0 NOT NULL, time_limit DOUBLE, aim VARCHAR, frozen_at DOUBLE, running_seconds DOUBLE DEFAULT '0' NOT NULL, cleared_at DOUBLE, owner VARCHAR DEFAULT '' NOT NULL, 
	CONSTRAINT ck_jobs_state CHECK (state IN ('held', 'queued', 'starting', 'running', 'stopping', 'paused', 'succeeded', 'failed', 'cancelled', 'lost')), 
	CONSTRAINT fk_jobs_group_id FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE SET NULL, 
	CONSTRAINT uq_jobs_run_id UNIQUE (run_id)
);
INSERT INTO "jobs" VALUES(1,'run00001',NULL,'job 1','succeeded','',0,1.0,NULL,1,3,3,'{"optim": {"lr": 0.001}}','f1','v1','mosi','mosi400','setgf',1111,0.0,3,'["setgf", "queue", "add"]',1800000000.0,1800000001.0,1800000009.0,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0.0,NULL,'');
INSERT INTO "jobs" VALUES(2,'run00002',NULL,'job 2','running','',0,2.0,NULL,1,3,3,'{"optim": {"lr": 0.001}}','f2','v1','mosi','mosi400','setgf',1112,0.0,3,'["setgf", "queue", "add"]',1800000000.0,1800000001.0,NULL,'w1',1800000030.0,'boot',NULL,NULL,NULL,0,NULL,NULL,NULL,0.0,NULL,'');
INSERT INTO "jobs" VALUES(3,'run00003',1,'job 3','queued','',2,3.0,NULL,0,3,3,'{"optim": {"lr": 0.001}}','f3','v1','mosi','mosi400','setgf',1113,0.0,3,'["setgf", "queue", "add"]',1800000000.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0.0,NULL,'');
CREATE TABLE memory_peaks (
	"key" VARCHAR NOT NULL, 
	mib INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	measured_at DOUBLE NOT NULL, 
	CONSTRAINT pk_memory_peaks PRIMARY KEY ("key")
)
 WITHOUT ROWID

;
CREATE TABLE points (
	series_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	value DOUBLE, 
	time DOUBLE NOT NULL, 
	CONSTRAINT pk_points PRIMARY KEY (series_id, attempt, step), 
	CONSTRAINT fk_points_series_id FOREIGN KEY(series_id) REFERENCES series (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "points" VALUES(1,1,1,1,3.0,1800000001.0);
INSERT INTO "points" VALUES(1,1,2,1,1.0,1800000002.0);
INSERT INTO "points" VALUES(1,1,3,1,NULL,1800000003.0);
CREATE TABLE predictions (
	run_id VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	sample_id VARCHAR NOT NULL, 
	label DOUBLE, 
	fusion DOUBLE, 
	text DOUBLE, 
	audio DOUBLE, 
	vision DOUBLE, 
	CONSTRAINT pk_predictions PRIMARY KEY (run_id, split, position), 
	CONSTRAINT fk_predictions_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "predictions" VALUES('run00001','test',0,'a$_$0',1.0,0.5,0.4,NULL,NULL);
CREATE TABLE pyramid (
	series_id INTEGER NOT NULL, 
	level INTEGER NOT NULL, 
	bucket INTEGER NOT NULL, 
	minimum DOUBLE, 
	minimum_step INTEGER, 
	maximum DOUBLE, 
	maximum_step INTEGER, 
	total DOUBLE NOT NULL, 
	num_points INTEGER NOT NULL, 
	non_finite INTEGER NOT NULL, 
	CONSTRAINT pk_pyramid PRIMARY KEY (series_id, level, bucket), 
	CONSTRAINT fk_pyramid_series_id FOREIGN KEY(series_id) REFERENCES series (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "pyramid" VALUES(1,7,0,1.0,2,3.0,1,4.0,3,1);
INSERT INTO "pyramid" VALUES(1,11,0,1.0,2,3.0,1,4.0,3,1);
INSERT INTO "pyramid" VALUES(1,15,0,1.0,2,3.0,1,4.0,3,1);
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	job_id INTEGER, 
	group_id INTEGER, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	dataset VARCHAR NOT NULL, 
	data_name VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	seed INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	variant VARCHAR NOT NULL, 
	config JSON NOT NULL, 
	command JSON NOT NULL, 
	note VARCHAR NOT NULL, 
	archived BOOLEAN NOT NULL, 
	epoch INTEGER NOT NULL, 
	max_epochs INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	best_epoch INTEGER, 
	best_valid DOUBLE, 
	monitor VARCHAR NOT NULL, 
	code_commit VARCHAR, 
	code_dirty BOOLEAN NOT NULL, 
	code_diff VARCHAR NOT NULL, 
	environment JSON NOT NULL, 
	data_fingerprint VARCHAR, 
	parameters INTEGER, 
	host VARCHAR, 
	device VARCHAR, 
	folder VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	updated_at DOUBLE NOT NULL, 
	error VARCHAR, trashed_at DOUBLE, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT ck_runs_state CHECK (state IN ('held', 'queued', 'starting', 'running', 'stopping', 'paused', 'succeeded', 'failed', 'cancelled', 'lost')), 
	CONSTRAINT fk_runs_group_id FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE SET NULL, 
	CONSTRAINT fk_runs_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
INSERT INTO "runs" VALUES('run00001',1,NULL,'run run00001','succeeded',1,'mosi','mosi400','setgf',1111,'f1','v1','{"optim": {"lr": 0.001}}','["setgf", "train"]','look "again"',0,0,3,0,NULL,NULL,'mae',NULL,0,'','{"host": "box", "python": "3.11"}',NULL,NULL,'box',NULL,'/runs/run00001',1800000000.0,NULL,1800000009.0,1800000009.0,NULL,NULL);
INSERT INTO "runs" VALUES('run00002',2,NULL,'run run00002','running',1,'mosi','mosi400','setgf',1111,'f1','v1','{"optim": {"lr": 0.001}}','["setgf", "train"]','',0,0,3,0,NULL,NULL,'mae',NULL,0,'','{}',NULL,NULL,NULL,NULL,'/runs/run00002',1800000000.0,NULL,NULL,1800000001.0,NULL,NULL);
CREATE TABLE samples (
	worker_id VARCHAR NOT NULL, 
	device VARCHAR NOT NULL, 
	at DOUBLE NOT NULL, 
	utilisation DOUBLE NOT NULL, 
	memory_used_mib DOUBLE NOT NULL, 
	CONSTRAINT pk_samples PRIMARY KEY (worker_id, device, at), 
	CONSTRAINT fk_samples_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE series (
	id INTEGER NOT NULL, 
	run_id VARCHAR NOT NULL, 
	split VARCHAR NOT NULL, 
	branch VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	first_step INTEGER, 
	last DOUBLE, 
	last_step INTEGER, 
	last_epoch INTEGER, 
	last_time DOUBLE, 
	minimum DOUBLE, 
	minimum_step INTEGER, 
	maximum DOUBLE, 
	maximum_step INTEGER, 
	num_points INTEGER NOT NULL, 
	non_finite INTEGER NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (id), 
	CONSTRAINT fk_series_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE, 
	CONSTRAINT uq_series_run_id_split_branch_name UNIQUE (run_id, split, branch, name)
);
INSERT INTO "series" VALUES(1,'run00001','train','fusion','loss',1,NULL,3,1,1800000003.0,1.0,2,3.0,1,3,1);
CREATE TABLE settings (
	run_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	text VARCHAR NOT NULL, 
	number DOUBLE, 
	CONSTRAINT pk_settings PRIMARY KEY (run_id, name)
)
 WITHOUT ROWID

;
INSERT INTO "settings" VALUES('run00001','model.name','setgf',NULL);
INSERT INTO "settings" VALUES('run00001','optim.lr','0.001',0.001);
INSERT INTO "settings" VALUES('run00002','model.name','setgf',NULL);
INSERT INTO "settings" VALUES('run00002','optim.lr','0.001',0.001);
INSERT INTO "settings" VALUES('run00003','model.name','setgf',NULL);
INSERT INTO "settings" VALUES('run00003','optim.lr','0.001',0.001);
CREATE TABLE tags (
	run_id VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (run_id, tag)
)
 WITHOUT ROWID

;
INSERT INTO "tags" VALUES('run00001','it''s');
CREATE TABLE workers (
	id VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	boot_id VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	pid_start INTEGER NOT NULL, 
	version VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	started_at DOUBLE NOT NULL, 
	heartbeat_at DOUBLE NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (id), 
	CONSTRAINT ck_workers_state CHECK (state IN ('alive', 'stopped'))
);
INSERT INTO "workers" VALUES('w1','host','boot',10,20,'0.1.0','alive',1800000000.0,1800000000.0);
CREATE INDEX ix_events_job_id ON events (job_id);
CREATE INDEX ix_events_run_id ON events (run_id);
CREATE UNIQUE INDEX ix_groups_name ON groups (name);
CREATE INDEX ix_settings_name ON settings (name);
CREATE INDEX ix_tags_tag ON tags (tag);
CREATE INDEX ix_jobs_group_id ON jobs (group_id);
CREATE INDEX ix_jobs_live ON jobs (lease_until) WHERE state IN ('starting', 'running', 'stopping');
CREATE INDEX ix_jobs_queued ON jobs (priority DESC, position, id) WHERE state = 'queued';
CREATE INDEX ix_job_dependencies_depends_on ON job_dependencies (depends_on);
CREATE INDEX ix_runs_created_at ON runs (created_at);
CREATE INDEX ix_runs_fingerprint ON runs (fingerprint);
CREATE INDEX ix_runs_group_id ON runs (group_id);
CREATE INDEX ix_runs_job_id ON runs (job_id);
CREATE INDEX ix_final_metrics_name ON final_metrics (name);
CREATE INDEX ix_attempts_job_id ON attempts (job_id);
CREATE INDEX ix_commands_job_id ON commands (job_id);
CREATE INDEX ix_commands_pending ON commands (id) WHERE handled_at IS NULL;
CREATE INDEX ix_device_leases_job_id ON device_leases (job_id);
CREATE VIEW run_summary AS 
SELECT runs.id AS run_id, runs.name, runs.state, runs.job_id, groups.name AS group_name,
  runs.dataset, runs.data_name, runs.model, runs.seed, runs.variant, runs.fingerprint,
  runs.attempt, runs.epoch, runs.max_epochs, runs.step, runs.monitor, runs.best_epoch,
  runs.best_valid, runs.archived, runs.note, runs.code_commit, runs.host, runs.device,
  runs.created_at, runs.started_at, runs.finished_at,
  COALESCE(runs.finished_at, runs.updated_at) - runs.started_at AS duration_seconds,
  runs.error,
  (SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc2_has0') AS acc2_has0,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc2_non0') AS acc2_non0,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc2') AS acc2,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc3') AS acc3,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc5') AS acc5,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.acc7') AS acc7,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.f1_has0') AS f1_has0,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.f1_non0') AS f1_non0,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.f1') AS f1,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.mae') AS mae,
(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.corr') AS corr
FROM runs LEFT JOIN groups ON groups.id = runs.group_id
WHERE runs.trashed_at IS NULL;
CREATE VIEW leaderboard AS 
SELECT dataset, data_name, model, variant, COUNT(DISTINCT seed) AS seeds, COUNT(*) AS runs,
  AVG(acc2_has0) AS acc2_has0,
SQRT(SUM((acc2_has0 - acc2_has0_mean) * (acc2_has0 - acc2_has0_mean)) / NULLIF(COUNT(acc2_has0) - 1, 0)) AS acc2_has0_sd,
AVG(acc2_non0) AS acc2_non0,
SQRT(SUM((acc2_non0 - acc2_non0_mean) * (acc2_non0 - acc2_non0_mean)) / NULLIF(COUNT(acc2_non0) - 1, 0)) AS acc2_non0_sd,
AVG(acc2) AS acc2,
SQRT(SUM((acc2 - acc2_mean) * (acc2 - acc2_mean)) / NULLIF(COUNT(acc2) - 1, 0)) AS acc2_sd,
AVG(acc3) AS acc3,
SQRT(SUM((acc3 - acc3_mean) * (acc3 - acc3_mean)) / NULLIF(COUNT(acc3) - 1, 0)) AS acc3_sd,
AVG(acc5) AS acc5,
SQRT(SUM((acc5 - acc5_mean) * (acc5 - acc5_mean)) / NULLIF(COUNT(acc5) - 1, 0)) AS acc5_sd,
AVG(acc7) AS acc7,
SQRT(SUM((acc7 - acc7_mean) * (acc7 - acc7_mean)) / NULLIF(COUNT(acc7) - 1, 0)) AS acc7_sd,
AVG(f1_has0) AS f1_has0,
SQRT(SUM((f1_has0 - f1_has0_mean) * (f1_has0 - f1_has0_mean)) / NULLIF(COUNT(f1_has0) - 1, 0)) AS f1_has0_sd,
AVG(f1_non0) AS f1_non0,
SQRT(SUM((f1_non0 - f1_non0_mean) * (f1_non0 - f1_non0_mean)) / NULLIF(COUNT(f1_non0) - 1, 0)) AS f1_non0_sd,
AVG(f1) AS f1,
SQRT(SUM((f1 - f1_mean) * (f1 - f1_mean)) / NULLIF(COUNT(f1) - 1, 0)) AS f1_sd,
AVG(mae) AS mae,
SQRT(SUM((mae - mae_mean) * (mae - mae_mean)) / NULLIF(COUNT(mae) - 1, 0)) AS mae_sd,
AVG(corr) AS corr,
SQRT(SUM((corr - corr_mean) * (corr - corr_mean)) / NULLIF(COUNT(corr) - 1, 0)) AS corr_sd
FROM (
  SELECT run_summary.*, AVG(acc2_has0) OVER (PARTITION BY dataset, data_name, variant) AS acc2_has0_mean,
AVG(acc2_non0) OVER (PARTITION BY dataset, data_name, variant) AS acc2_non0_mean,
AVG(acc2) OVER (PARTITION BY dataset, data_name, variant) AS acc2_mean,
AVG(acc3) OVER (PARTITION BY dataset, data_name, variant) AS acc3_mean,
AVG(acc5) OVER (PARTITION BY dataset, data_name, variant) AS acc5_mean,
AVG(acc7) OVER (PARTITION BY dataset, data_name, variant) AS acc7_mean,
AVG(f1_has0) OVER (PARTITION BY dataset, data_name, variant) AS f1_has0_mean,
AVG(f1_non0) OVER (PARTITION BY dataset, data_name, variant) AS f1_non0_mean,
AVG(f1) OVER (PARTITION BY dataset, data_name, variant) AS f1_mean,
AVG(mae) OVER (PARTITION BY dataset, data_name, variant) AS mae_mean,
AVG(corr) OVER (PARTITION BY dataset, data_name, variant) AS corr_mean
  FROM run_summary WHERE state = 'succeeded' AND NOT archived
) AS finished
GROUP BY dataset, data_name, model, variant;
CREATE VIEW queue AS 
SELECT jobs.id AS job_id, jobs.run_id, groups.name AS group_name, jobs.name, jobs.state,
  jobs.reason, jobs.priority, jobs.position, jobs.not_before, jobs.dataset, jobs.data_name,
  jobs.model, jobs.seed, jobs.gpus, jobs.attempt, jobs.max_attempts,
  COALESCE(runs.epoch, 0) AS epoch, jobs.max_epochs, jobs.worker_id, jobs.lease_until,
  jobs.created_at, jobs.started_at, jobs.finished_at, jobs.error
FROM jobs LEFT JOIN groups ON groups.id = jobs.group_id LEFT JOIN runs ON runs.id = jobs.run_id;
CREATE VIEW point AS 
SELECT series.run_id, series.split, series.branch, series.name, points.attempt, points.step,
  points.epoch, points.value, points.time
FROM points JOIN series ON series.id = points.series_id;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('commands',0);
INSERT INTO "sqlite_sequence" VALUES('jobs',3);
INSERT INTO "sqlite_sequence" VALUES('events',14);
INSERT INTO "sqlite_sequence" VALUES('groups',1);
COMMIT;
