// Partial sorting as the C++ library of torch does it, so that among equal numbers the
// same ones are chosen. Each works on `a`, a list of places, by less(place, place).
//
// nthElement(a, nth, less)   a[nth] is what sorting would put there
// sortFront(a, end, less)    sorts a[0 ... end - 1], not stably
// quickSelect(a, k, more)    torch's own selection; more: is greater, or nan

function swap(a, i, j) {
  [a[i], a[j]] = [a[j], a[i]];
}

function insertionSort(a, first, last, less) {
  for (let i = first + 1; i < last; i++) {
    const value = a[i];
    let j = i;
    while (j > first && less(value, a[j - 1])) {
      a[j] = a[j - 1];
      j--;
    }
    a[j] = value;
  }
}

function medianToFirst(a, result, i, j, k, less) {
  let middle;
  if (less(a[i], a[j])) {
    if (less(a[j], a[k])) middle = j;
    else middle = less(a[i], a[k]) ? k : i;
  } else if (less(a[i], a[k])) middle = i;
  else middle = less(a[j], a[k]) ? k : j;
  swap(a, result, middle);
}

function partition(a, first, last, less) {
  medianToFirst(a, first, first + 1, first + ((last - first) >> 1), last - 1, less);
  let [left, right] = [first + 1, last];
  for (;;) {
    while (less(a[left], a[first])) left++;
    right--;
    while (less(a[first], a[right])) right--;
    if (left >= right) return left;
    swap(a, left, right);
    left++;
  }
}

export function nthElement(a, nth, less) {
  let [first, last] = [0, a.length];
  while (last - first > 3) {
    const cut = partition(a, first, last, less);
    if (cut <= nth) first = cut;
    else last = cut;
  }
  insertionSort(a, first, last, less);
}

function introsort(a, first, end, less) {
  let last = end;
  while (last - first > 16) {
    const cut = partition(a, first, last, less);
    introsort(a, cut, last, less);
    last = cut;
  }
}

export function sortFront(a, end, less) {
  introsort(a, 0, end, less);
  insertionSort(a, 0, end, less);
}

export function quickSelect(a, k, more) {
  let [left, right] = [0, a.length - 1];
  const ordered = (i, j) => {
    if (more(a[i], a[j])) swap(a, i, j);
  };
  while (right > left) {
    if (right === left + 1) {
      ordered(left, right);
      return;
    }
    swap(a, left + ((right - left) >> 1), left + 1);
    ordered(left + 1, right);
    ordered(left, right);
    ordered(left + 1, left);
    let [i, j] = [left + 1, right];
    const pivot = a[left];
    for (;;) {
      do i++;
      while (more(pivot, a[i]));
      do j--;
      while (more(a[j], pivot));
      if (j < i) break;
      swap(a, i, j);
    }
    swap(a, left, j);
    if (j <= k) left = i;
    if (j >= k) right = j - 1;
  }
}
