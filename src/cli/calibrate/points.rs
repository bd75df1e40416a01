//! Where the user is asked to look, in which order.

use crate::geometry::ScreenPoint;

/// The numbers of points there is a layout for.
pub const COUNTS: [u8; 4] = [5, 9, 13, 16];

/// How far the outermost points stand from the screen's edges: further out, lids and lashes hide the eyes of a camera above
/// the screen, and a map fitted to the edge itself has nothing beyond it to lean on.
const MARGIN: f64 = 0.1;

/// Points to look at while calibrating, in order. `None` for a number that has no layout.
pub fn calibration(count: u8) -> Option<Vec<ScreenPoint>> {
    let (near, far) = (MARGIN, 1.0 - MARGIN);
    let corners = grid(&[near, far]);
    let points = match count {
        5 => [corners, vec![ScreenPoint::CENTRE]].concat(),
        9 => grid(&[near, 0.5, far]),
        13 => [grid(&[near, 0.5, far]), grid(&[0.3, 0.7])].concat(),
        16 => grid(&[near, near + 0.8 / 3.0, far - 0.8 / 3.0, far]),
        _ => return None,
    };
    Some(far_apart(points))
}

/// Points to validate with, one in each ninth of the screen: none of them is used by any layout of [`calibration`], all are
/// inside the calibrated region.
pub fn validation() -> Vec<ScreenPoint> {
    let places = [
        (0.18, 0.27),
        (0.5, 0.25),
        (0.82, 0.27),
        (0.28, 0.5),
        (0.5, 0.62),
        (0.72, 0.5),
        (0.18, 0.73),
        (0.5, 0.78),
        (0.82, 0.73),
    ];
    far_apart(places.map(|(x, y)| ScreenPoint::new(x, y)).to_vec())
}

fn grid(at: &[f64]) -> Vec<ScreenPoint> {
    at.iter()
        .flat_map(|y| at.iter().map(move |x| ScreenPoint::new(*x, *y)))
        .collect()
}

/// Starts in the middle and always goes to the point furthest from the last one: a jump that cannot be missed tells looking at
/// the new point from still looking at the old one, and neighbours in space are not neighbours in time, so a slow drift of
/// the head does not look like a bend of the map.
fn far_apart(mut points: Vec<ScreenPoint>) -> Vec<ScreenPoint> {
    let distance = |a: ScreenPoint, b: ScreenPoint| (a.x - b.x).hypot(a.y - b.y);
    let mut ordered = Vec::with_capacity(points.len());
    let first = (0..points.len())
        .min_by(|a, b| distance(points[*a], ScreenPoint::CENTRE).total_cmp(&distance(points[*b], ScreenPoint::CENTRE)));
    let mut next = first;
    while let Some(index) = next {
        let last = points.swap_remove(index);
        ordered.push(last);
        next = (0..points.len()).max_by(|a, b| distance(points[*a], last).total_cmp(&distance(points[*b], last)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_has_its_points_once_and_in_the_screen() {
        for count in COUNTS {
            let points = calibration(count).expect("a listed number has a layout");
            assert_eq!(points.len(), usize::from(count));
            for (index, point) in points.iter().enumerate() {
                assert!((0.05..=0.95).contains(&point.x) && (0.05..=0.95).contains(&point.y));
                assert!(!points[..index].contains(point), "{count}: {point:?} twice");
            }
        }
        assert_eq!(calibration(7), None);
    }

    #[test]
    fn a_calibration_begins_near_the_middle_and_jumps_far() {
        let points = calibration(9).expect("nine points have a layout");
        assert_eq!(points[0], ScreenPoint::CENTRE);
        // Every jump but the last ones, where little is left to choose from, crosses at least half of the screen.
        for pair in points.windows(2).take(5) {
            assert!((pair[0].x - pair[1].x).hypot(pair[0].y - pair[1].y) > 0.5, "{points:?}");
        }
    }

    #[test]
    fn validation_points_were_not_calibrated_with() {
        for count in COUNTS {
            let used = calibration(count).expect("a listed number has a layout");
            for point in validation() {
                let nearest = used
                    .iter()
                    .map(|p| (p.x - point.x).hypot(p.y - point.y))
                    .fold(f64::INFINITY, f64::min);
                assert!(
                    nearest > 0.1,
                    "{count}: {point:?} is {nearest} from a calibration point"
                );
            }
        }
    }
}
