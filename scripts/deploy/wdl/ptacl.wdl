version 1.0

# The graph of scripts/deploy/workflow for a platform where tasks share no disk: every task stages
# what it needs into its own folder, writes one file, and can be run again.
#
# `listing` names files by the paths that workers see (a mounted project folder); archives are
# copied to the worker's own disk before they are unpacked. Parts, cohorts and runs travel as tar, and
# the key beside them: with it a run records who is in it, so that a withdrawal finds them.

workflow ptacl {
  input {
    File listing
    Array[File] tables = []
    Array[File] withdrawn = []
    File? key
    String? layout
    String? sex_coding
    Int parts = 8
    Int embed_parts = 4
    String preset = "workstation"
    String run = "main"
    Array[String] set_train = []
    Array[File] earlier_runs = []
    Int processes = 1
    Int resamples = 2000
    Int train_minutes = 1380
    Boolean accept_membership = false
    String image = "ptacl"
    String gpu_instance = ""
  }

  call plan {
    input:
      listing = listing, withdrawn = withdrawn, key = key, layout = layout, image = image
  }

  scatter (index in range(parts)) {
    call preprocess {
      input:
        listing = listing, plan_csv = plan.plan_csv, key = plan.cohort_key, tables = tables,
        withdrawn = withdrawn, sex_coding = sex_coding, index = index + 1, count = parts,
        image = image
    }
  }

  call merge { input: parts = preprocess.part, key = plan.cohort_key, image = image }

  scatter (modality in ["ecg", "cmr"]) {
    call train as pretrain {
      input:
        cohort = merge.cohort, key = plan.cohort_key, stage = modality,
        run = run + "-" + modality, preset = preset,
        set_train = set_train, earlier_runs = earlier_runs, processes = processes,
        minutes = train_minutes, image = image, gpu_instance = gpu_instance
    }
  }

  call train as align {
    input:
      cohort = merge.cohort, key = plan.cohort_key, stage = "align", run = run, preset = preset,
      set_train = flatten([set_train, [
        "pretrained_from.ecg=" + run + "-ecg", "pretrained_from.cmr=" + run + "-cmr"
      ]]),
      earlier_runs = flatten([earlier_runs, pretrain.runs]), processes = processes,
      minutes = train_minutes, image = image, gpu_instance = gpu_instance
  }

  scatter (index in range(embed_parts)) {
    call embed {
      input:
        cohort = merge.cohort, key = plan.cohort_key, runs = align.runs, run = run, index = index + 1,
        count = embed_parts, image = image, gpu_instance = gpu_instance
    }
  }

  call merge_embeddings {
    input:
      cohort = merge.cohort, key = plan.cohort_key, runs = align.runs, run = run,
      parts = embed.part, image = image
  }

  call evaluate {
    input:
      cohort = merge_embeddings.embedded, key = plan.cohort_key, run = run,
      resamples = resamples, image = image,
      gpu_instance = gpu_instance
  }

  call report {
    input:
      cohort = evaluate.evaluated, key = plan.cohort_key, run = run,
      accept_membership = accept_membership, image = image
  }

  output {
    File cohort = evaluate.evaluated
    File cohort_key = plan.cohort_key
    File may_leave = report.report_tar
    Array[Boolean] trained = flatten([pretrain.finished, [align.finished]])
  }
}

task plan {
  input {
    File listing
    Array[File] withdrawn = []
    File? key
    String? layout
    String image
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    ~{if defined(key) then "cp " + key + " cohort.key" else ""}
    ptacl preprocess --files-from ~{listing} --plan plan.csv --key cohort.key \
      ~{if length(withdrawn) > 0 then "--withdrawn " else ""}~{sep=" --withdrawn " withdrawn} \
      ~{"--layout " + layout} --scratch scratch
  >>>
  output {
    File plan_csv = "plan.csv"
    File cohort_key = "cohort.key"
  }
  runtime {
    docker: image
    cpu: 2
    memory: "4 GB"
    maxRetries: 1
  }
}

task preprocess {
  input {
    File listing
    File plan_csv
    File key
    Array[File] tables = []
    Array[File] withdrawn = []
    String? sex_coding
    Int index
    Int count
    Int workers = 4
    Int disk_gb = 60
    String image
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    ptacl preprocess part --files-from ~{listing} --pairs ~{plan_csv} --key ~{key} \
      ~{if length(tables) > 0 then "--phenotypes " else ""}~{sep=" --phenotypes " tables} \
      ~{if length(withdrawn) > 0 then "--withdrawn " else ""}~{sep=" --withdrawn " withdrawn} \
      ~{"--sex-coding " + sex_coding} --shard ~{index}/~{count} --workers ~{workers} \
      --scratch scratch
    mv part part-~{index}
    tar -cf part-~{index}.tar part-~{index}
  >>>
  output {
    File part = "part-~{index}.tar"
  }
  runtime {
    docker: image
    cpu: workers
    memory: "~{2 + 2 * workers} GB"
    disks: "local-disk ~{disk_gb} SSD"
    maxRetries: 2
  }
}

task merge {
  input {
    Array[File] parts
    File key
    Int disk_gb = 200
    String image
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    mkdir parts keys
    for part in ~{sep=" " parts}; do tar -xf "$part" -C parts; done
    for part in parts/*; do
      cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' "$part/cohort.toml").key"
    done
    ptacl merge cohort parts/*
    tar -cf cohort.tar cohort
  >>>
  output {
    File cohort = "cohort.tar"
  }
  runtime {
    docker: image
    cpu: 2
    memory: "8 GB"
    disks: "local-disk ~{disk_gb} SSD"
    maxRetries: 1
  }
}

# A training that has not ended after `minutes` saves itself and stops well, with `finished` false:
# give its `runs` as `earlier_runs` and it goes on, on whatever worker.
task train {
  input {
    File cohort
    File key
    String stage
    String run
    String preset
    Array[String] set_train = []
    Array[File] earlier_runs = []
    Int processes = 1
    Int minutes = 1380
    Int disk_gb = 150
    String image
    String gpu_instance = ""
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    tar -xf ~{cohort}
    mkdir -p keys
    cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' cohort/cohort.toml).key"
    for runs in ~{sep=" " earlier_runs}; do tar -xf "$runs" -C cohort; done
    status=0
    timeout --signal=TERM --kill-after=300 ~{minutes}m \
      python -m torch.distributed.run --standalone --nproc-per-node ~{processes} \
      -m ptacl_core train cohort --preset ~{preset} --stage ~{stage} --run-name ~{run} --resume \
      ~{if length(set_train) > 0 then "--set " else ""}~{sep=" --set " set_train} || status=$?
    if [ "$status" != 0 ] && [ "$status" != 124 ]; then exit "$status"; fi
    final=cohort/runs/~{run}/checkpoints/~{stage}/final/checkpoint.json
    if [ -f "$final" ]; then echo true; else echo false; fi > finished
    tar -cf ~{run}.tar -C cohort runs
  >>>
  output {
    File runs = "~{run}.tar"
    Boolean finished = read_boolean("finished")
  }
  runtime {
    docker: image
    cpu: 8
    memory: "32 GB"
    disks: "local-disk ~{disk_gb} SSD"
    gpu: gpu_instance != ""
    dx_instance_type: gpu_instance
    maxRetries: 2
  }
}

task embed {
  input {
    File cohort
    File key
    File runs
    String run
    Int index
    Int count
    Int disk_gb = 150
    String image
    String gpu_instance = ""
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    tar -xf ~{cohort}
    mkdir -p keys
    cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' cohort/cohort.toml).key"
    tar -xf ~{runs} -C cohort
    ptacl embed cohort --run ~{run} --shard ~{index}/~{count}
    tar -cf embedded-~{index}.tar -C cohort/runs/~{run}/embedding-parts .
  >>>
  output {
    File part = "embedded-~{index}.tar"
  }
  runtime {
    docker: image
    cpu: 8
    memory: "32 GB"
    disks: "local-disk ~{disk_gb} SSD"
    gpu: gpu_instance != ""
    dx_instance_type: gpu_instance
    maxRetries: 2
  }
}

task merge_embeddings {
  input {
    File cohort
    File key
    File runs
    String run
    Array[File] parts
    Int disk_gb = 200
    String image
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    tar -xf ~{cohort}
    mkdir -p keys
    cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' cohort/cohort.toml).key"
    tar -xf ~{runs} -C cohort
    mkdir -p cohort/runs/~{run}/embedding-parts
    for part in ~{sep=" " parts}; do tar -xf "$part" -C cohort/runs/~{run}/embedding-parts; done
    ptacl embed cohort --run ~{run} --merge
    tar -cf embedded.tar cohort
  >>>
  output {
    File embedded = "embedded.tar"
  }
  runtime {
    docker: image
    cpu: 4
    memory: "16 GB"
    disks: "local-disk ~{disk_gb} SSD"
    maxRetries: 1
  }
}

task evaluate {
  input {
    File cohort
    File key
    String run
    Int resamples = 2000
    Int disk_gb = 200
    String image
    String gpu_instance = ""
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    tar -xf ~{cohort}
    mkdir -p keys
    cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' cohort/cohort.toml).key"
    ptacl evaluate cohort --run ~{run} --resamples ~{resamples}
    tar -cf evaluated.tar cohort
  >>>
  output {
    File evaluated = "evaluated.tar"
  }
  runtime {
    docker: image
    cpu: 8
    memory: "16 GB"
    disks: "local-disk ~{disk_gb} SSD"
    gpu: gpu_instance != ""
    dx_instance_type: gpu_instance
    maxRetries: 1
  }
}

# What may leave: aggregates and the model, searched for everybody's names. A model whose answers
# tell who was in its training is refused, unless that is accepted.
task report {
  input {
    File cohort
    File key
    String run
    Boolean accept_membership = false
    Int disk_gb = 200
    String image
  }
  command <<<
    set -euo pipefail
    umask 077
    export PTACL_KEYS=$PWD/keys
    tar -xf ~{cohort}
    mkdir -p keys
    cp ~{key} "keys/$(sed -n 's/^cohort_id = "\(.*\)"/\1/p' cohort/cohort.toml).key"
    ptacl egress cohort ~{run} report ~{if accept_membership then "--accept-membership" else ""}
    tar -cf report.tar report
  >>>
  output {
    File report_tar = "report.tar"
  }
  runtime {
    docker: image
    cpu: 2
    memory: "8 GB"
    disks: "local-disk ~{disk_gb} SSD"
    maxRetries: 1
  }
}
