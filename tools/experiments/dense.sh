# What dense_toy.sh and dense_camvid.sh share; to be sourced after shared.sh. Needs $methods, $seeds and $data.

random_of() { # METHOD: the baseline that starts from the same weights (a baseline itself)
    case $1 in
        cacl | random-d8) echo random-d8 ;; # pretrained and linearly judged at output stride 8
        local-global | random-vit) echo random-vit ;;
        *) echo random ;;
    esac
}
pretraining_of() { # METHOD DATA: its config
    case $1 in
        cacl) [ "$2" = toy ] && echo configs/cacl/toy.py || echo "configs/cacl/r18-narrow_$2.py" ;;
        local-global) echo "configs/local_global/vit-narrow_$2.py" ;;
        semcl) [ "$2" = toy ] && echo configs/semcl/toy.py || echo "configs/semcl/r18-narrow_$2.py" ;;
        pixcon-sr) [ "$2" = toy ] && echo configs/pixcon/toy.py || echo "configs/pixcon/${1}_r18-narrow_$2.py" ;;
        *) [ "$2" = toy ] && echo "configs/pixcon/${1}_toy.py" || echo "configs/pixcon/${1}_r18-narrow_$2.py" ;;
    esac
}
downstream_of() { # METHOD PROTOCOL TARGET: the config that judges it
    case $(random_of "$1")-$2 in
        random-vit-linear) echo "configs/segmentation/frozen_vit-narrow_$3.py" ;;
        random-vit-finetune) echo "configs/segmentation/linear_vit-narrow_$3.py" ;;
        random-d8-linear) echo "configs/segmentation/linear_r18-narrow-d8_$3.py" ;;
        random-linear) echo "configs/segmentation/linear_r18-narrow_$3.py" ;;
        random*-finetune) echo "configs/segmentation/upernet_r18-narrow_$3.py" ;;
    esac
}
start_of() { # METHOD TARGET: the config whose random backbone all of its network's arms start from
    case $(random_of "$1") in # residual branches start open or closed, as the pretraining wants them
        random-vit) downstream_of "$1" linear "$2" ;;
        random-d8) pretraining_of cacl "$data" ;;
        random) pretraining_of pixcon-sim "$data" ;;
    esac
}
initial_of() { # METHOD SEED: random weights of its network
    local network
    network=$(random_of "$1")
    echo "$work/initial${network#random}_seed$2.pth"
}

one_arm() { # METHOD_seedN: pretrains (unless it is random) and is judged by every protocol
    local method=${1%_seed*} seed=${1##*_seed} start protocol precision=()
    start=$(initial_of "$method" "$seed")
    [ -z "${AMP:-}" ] || [ "$(random_of "$method")" = random-vit ] || precision=(--amp "$AMP")
    case $method in
        random*) ;;
        *)
            CFG_OPTIONS="${CFG_OPTIONS:-}${PRETRAIN_OPTIONS:+ $PRETRAIN_OPTIONS}" \
                train "pretrain-$1" "$(pretraining_of "$method" "$data")" --pretrained "$start" --seed "$seed" "${precision[@]}"
            start=$(last "pretrain-$1")
            ;;
    esac
    for protocol in $protocols_; do
        train "$method-${protocol}_seed$seed" "$(downstream_of "$method" "$protocol" "$target")" \
            --pretrained "$start" --seed "$seed" "${precision[@]}"
    done
}

dense_experiment() { # TARGET PROTOCOL…: every method, every seed; then who beats its baseline
    export target=$1 data=${data:-$1} protocols_="${*:2}"
    export -f random_of pretraining_of downstream_of initial_of
    local method seed baseline protocol arm arms=()
    for method in "${methods[@]}"; do
        [ -e "$(pretraining_of "$method" "$data")" ] ||
            { echo "error: no config $(pretraining_of "$method" "$data") for METHODS=$method" >&2; return 1; }
        [ "$method" != semcl ] || [ -e "data/semcl/$data.pairs" ] ||
            { echo "error: METHODS=semcl needs data/semcl/$data.pairs (tools/dataset_converters/build_pair_index.py)" >&2; return 1; }
        arms+=("$(random_of "$method")" "$method")
    done
    mapfile -t arms < <(printf '%s\n' "${arms[@]}" | awk '!seen[$0]++')
    local runs=()
    for seed in "${seeds[@]}"; do # a seed's arms follow each other: what is done first can be compared
        for arm in "${arms[@]}"; do
            runs+=("${arm}_seed$seed")
            local initial
            initial=$(initial_of "$arm" "$seed")
            [ -e "$initial" ] || "$python" -W ignore tools/misc/initial_backbone.py \
                "$(start_of "$arm" "$target")" "$initial" --seed "$seed"
        done
    done
    each one_arm "${runs[@]}"

    "$python" tools/analyze collect "$work" --out "$work/records.jsonl"
    "$python" tools/analyze table --records "$work/records.jsonl"
    [ "${#seeds[@]}" -ge 2 ] || return 0
    for protocol in $protocols_; do
        for baseline in $(printf '%s\n' "${arms[@]}" | grep '^random'); do
            local found=()
            for method in "${methods[@]}"; do
                [ "$(random_of "$method")" != "$baseline" ] || found+=("$method-${protocol}_seed")
            done
            [ ${#found[@]} -gt 0 ] || continue
            echo
            "$python" tools/analyze against "$baseline-${protocol}_seed" "${found[@]}" --records "$work/records.jsonl"
        done
    done
}
